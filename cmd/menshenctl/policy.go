package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/policy"
)

func (a *app) policy() *cobra.Command {
	return noun("policy", "The access policy: who may do what, and which set of rules is in force",
		a.policyShow(), a.policyValidate(), a.policyExport(), a.policyTest(), a.policyDiff(), a.policyWhatIf(),
		a.policyList(), a.policySubmit(), a.policyStage(), a.policyShadow(), a.policyActivate(), a.policyRollback())
}

func (a *app) policyShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show the active policy set, or a kept one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.policyShowKept(c.Context(), args[0])
			}
			p, err := a.client().Policy(c.Context())
			if err != nil {
				return err
			}
			return a.show(p, func() { a.printPolicy(p.Version, p.Files) })
		},
	}
}

func (a *app) policyShowKept(ctx context.Context, version string) error {
	view, err := a.client().PolicySet(ctx, version)
	if err != nil {
		return err
	}
	return a.show(view, func() {
		for _, step := range view.Set.History {
			a.printf("// %s  %s  %s\n", a.moment(step.At), a.policyState(wire.PolicySet{State: step.State}), clean(step.By))
		}
		a.printPolicy(view.Set.Version, view.Files)
	})
}

func (a *app) printPolicy(version string, files map[string]string) {
	a.printf("// %s %s\n", a.say("version", "版本"), version)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.printf("\n// %s\n%s", name, files[name])
	}
}

func (a *app) policyValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FOLDER",
		Short: "Check whether the PDP could load a folder's .cedar files; changes nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			out, err := a.client().CheckPolicy(c.Context(), files)
			if err != nil {
				return err
			}
			if err := a.show(out, func() {
				if out.Problem == "" {
					a.printf("%s %s\n", a.say("Good; its version would be", "正確；版本將為"), out.Version)
				}
			}); err != nil {
				return err
			}
			if out.Problem != "" {
				return &failure{exitRefused, reason.New(reason.CfgPolicy, "detail", out.Problem)}
			}
			return nil
		},
	}
}

const maxPolicyFile = 1 << 20

// readPolicy reads a folder's .cedar files by name.
func readPolicy(folder string) (map[string]string, error) {
	return readFiles(folder, ".cedar", maxPolicyFile)
}

// readFiles reads a folder's files whose names end so. None is an error.
func readFiles(folder, suffix string, limit int64) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no %s file in %s", suffix, folder)
	}
	if len(names) > policy.MaxFiles {
		return nil, fmt.Errorf("more than %d %s files in %s", policy.MaxFiles, suffix, folder)
	}
	files := make(map[string]string, len(names))
	for _, name := range names {
		raw, err := readFile(name, limit)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(name)] = string(raw)
	}
	return files, nil
}

// Names of sets that lie in no folder.
const (
	activeSet   = "active"
	baselineSet = "baseline"
)

var versionShape = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// policySet reads a policy set: "active" is the one in force, "baseline" the
// one that is shipped with this program, a version a kept one, and all else is
// a folder.
func (a *app) policySet(ctx context.Context, name string) (map[string][]byte, error) {
	switch {
	case name == baselineSet:
		return policy.Baseline(), nil
	case name == activeSet:
		p, err := a.client().Policy(ctx)
		return client.RawFiles(p.Files), err
	case versionShape.MatchString(name):
		view, err := a.client().PolicySet(ctx, name)
		return client.RawFiles(view.Files), err
	}
	files, err := readPolicy(name)
	return client.RawFiles(files), err
}

// unreadable says plainly what the system says of a file.
func unreadable(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}
