package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/policy"
)

// casesFolder holds a policy folder's cases.
const casesFolder = "cases"

// tested is the outcome of a policy's cases.
type tested struct {
	Cases   int          `json:"cases"`
	Failing []failedCase `json:"failing"`
	// Unspoken are the policies that no case is about.
	Unspoken []string `json:"unspoken"`
	// Warnings are about policies that can never apply.
	Warnings []string `json:"warnings,omitempty"`
}

type failedCase struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Problem string `json:"problem"`
}

func (a *app) policyTest() *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use:   "test FOLDER|VERSION|active|baseline",
		Short: "Run case files against a policy set",
		Long: `Runs the cases of FOLDER/cases/*.yaml, or of another folder, against the policy
set. A folder needs no PDP. docs/policy.md shows how cases are written.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := a.testPolicy(c.Context(), args[0], folder)
			if err != nil {
				return err
			}
			if err := a.show(out, func() { a.printTested(out) }); err != nil {
				return err
			}
			if n := len(out.Failing); n > 0 {
				return &failure{exitRefused, reason.New(reason.SetCasesFail, "failing", strconv.Itoa(n), "of", strconv.Itoa(out.Cases))}
			}
			return nil
		},
	}
	c.Flags().StringVar(&folder, "cases", "", "the folder of the case files (default: FOLDER/cases)")
	return c
}

func (a *app) testPolicy(ctx context.Context, name, folder string) (tested, error) {
	files, err := a.policySet(ctx, name)
	if err != nil {
		return tested{}, err
	}
	engine, err := policy.Load(files)
	if err != nil {
		return tested{}, &failure{exitRefused, reason.New(reason.CfgPolicy, "detail", err.Error())}
	}
	cases, err := readCases(name, folder)
	if err != nil {
		return tested{}, err
	}
	out := tested{Cases: len(cases), Failing: []failedCase{}, Unspoken: engine.Unspoken(cases)}
	for _, warning := range engine.Warnings() {
		out.Warnings = append(out.Warnings, warning.Error())
	}
	for _, one := range cases {
		if _, problem := engine.Check(one); problem != "" {
			out.Failing = append(out.Failing, failedCase{one.File, one.Name, problem})
		}
	}
	return out, nil
}

// readCases reads the cases of a set: from a folder if one is named, else from
// where the set lies.
func readCases(set, folder string) ([]policy.Case, error) {
	files := policy.BaselineCases()
	if folder != "" || set != baselineSet {
		if folder == "" {
			folder = filepath.Join(set, casesFolder)
		}
		read, err := readFiles(folder, ".yaml", policy.MaxCaseBytes)
		if err != nil {
			return nil, err
		}
		files = client.RawFiles(read)
	}
	var all []policy.Case
	for _, name := range slices.Sorted(maps.Keys(files)) {
		cases, err := policy.ParseCases(name, files[name])
		if err != nil {
			return nil, &failure{exitRefused, reason.New(reason.SetCasesBad, "detail", err.Error())}
		}
		all = append(all, cases...)
	}
	return all, nil
}

func (a *app) printTested(out tested) {
	for _, f := range out.Failing {
		a.printf("✖ %s: %s\n  %s\n", clean(f.File), clean(f.Name), clean(f.Problem))
	}
	a.printf(a.say("%d of %d cases end as expected\n", "%d 個案例符合預期，共 %d 個\n"), out.Cases-len(out.Failing), out.Cases)
	for _, warning := range out.Warnings {
		a.printf("⚠ %s\n", clean(warning))
	}
	if len(out.Unspoken) > 0 {
		a.printf("%s: %s\n", a.say("no case is about", "沒有案例涵蓋"), clean(strings.Join(out.Unspoken, ", ")))
	}
}

func (a *app) policyExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export VERSION|active|baseline FOLDER",
		Short: "Write a policy set's files into a new folder, to begin a draft; the baseline comes with its cases",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := a.policySet(c.Context(), args[0])
			if err != nil {
				return err
			}
			var cases map[string][]byte
			if args[0] == baselineSet {
				cases = policy.BaselineCases()
			}
			if err := writeFiles(args[1], files); err != nil {
				return err
			}
			if err := writeFiles(filepath.Join(args[1], casesFolder), cases); err != nil {
				return err
			}
			return a.show(map[string]int{"files": len(files), "cases": len(cases)}, func() {
				a.printf(a.say("%d policy files and %d case files written\n", "已寫入 %d 個政策檔與 %d 個案例檔\n"), len(files), len(cases))
			})
		},
	}
}

// writeFiles writes files into a new folder; none makes no folder.
func writeFiles(folder string, files map[string][]byte) error {
	if len(files) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o750); err != nil {
		return unreadable(err)
	}
	if err := os.Mkdir(folder, 0o750); err != nil {
		return unreadable(err)
	}
	root, err := os.OpenRoot(folder) // the names come from elsewhere
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = root.Close() }()
	for name, text := range files {
		if err := root.WriteFile(name, text, 0o600); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
