package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
)

func (a *app) policy() *cobra.Command {
	return noun("policy", "The access policy", a.policyShow(), a.policyValidate())
}

func (a *app) policyShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the active policy set",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.client().Policy(c.Context())
			if err != nil {
				return err
			}
			return a.show(p, func() {
				a.printf("// %s %s\n", a.say("version", "版本"), p.Version)
				for _, name := range slices.Sorted(maps.Keys(p.Files)) {
					a.printf("\n// %s\n%s", name, p.Files[name])
				}
			})
		},
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

func readPolicy(folder string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.cedar"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no .cedar file in %s", folder)
	}
	files := make(map[string]string, len(names))
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, unreadable(err)
		}
		if info.Size() > maxPolicyFile {
			return nil, fmt.Errorf("%s is larger than %d bytes", name, maxPolicyFile)
		}
		raw, err := os.ReadFile(name) // #nosec G304 -- the person names the folder
		if err != nil {
			return nil, unreadable(err)
		}
		files[filepath.Base(name)] = string(raw)
	}
	return files, nil
}

// unreadable says plainly what the system says of a file.
func unreadable(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}
