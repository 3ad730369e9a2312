package baseline

import (
	"errors"
	"io/fs"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Condition is when a rule applies. All that is given must hold.
type Condition struct {
	// Package must be installed, NoPackage must not.
	Package   string `yaml:"package"`
	NoPackage string `yaml:"no_package"`
	// Path must exist.
	Path string `yaml:"path"`
	// Mount must be a mount point of its own.
	Mount string `yaml:"mount"`
}

func (c *Condition) wrong(path string) []yamlfile.Fault {
	if *c == (Condition{}) {
		return []yamlfile.Fault{{Path: path, Problem: "says nothing"}}
	}
	return nil
}

// unmet returns nil where the rule applies, and else what to report.
func (c *Condition) unmet(m *measurement) *outcome {
	if c == nil {
		return nil
	}
	if c.Package != "" || c.NoPackage != "" {
		installed, err := m.packages()
		if err != nil {
			o := cannot("the installed packages: %v", err)
			return &o
		}
		if c.Package != "" && !installed[c.Package] {
			o := notApplicable("%s is not installed", c.Package)
			return &o
		}
		if c.NoPackage != "" && installed[c.NoPackage] {
			o := notApplicable("%s is installed", c.NoPackage)
			return &o
		}
	}
	if c.Path != "" {
		if _, err := m.stat(c.Path); errors.Is(err, fs.ErrNotExist) {
			o := notApplicable("%s does not exist", c.Path)
			return &o
		} else if err != nil {
			o := cannot("%v", err)
			return &o
		}
	}
	if c.Mount != "" {
		mounts, err := m.mounts()
		if err != nil {
			o := cannot("the mounts: %v", err)
			return &o
		}
		if _, is := mounts[c.Mount]; !is {
			o := notApplicable("%s is no mount point of its own", c.Mount)
			return &o
		}
	}
	return nil
}
