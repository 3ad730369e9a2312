package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) application() *cobra.Command {
	return noun("application", "The rules that an application behind a portal brings itself (AuthZEN)",
		a.applicationSet(), a.applicationShow(), a.applicationValidate(), a.applicationRemove())
}

func (a *app) applicationSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set ORIGIN|ID FOLDER",
		Short: "Let a folder's schema, entities and policies be a portal's from now on",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := readApplication(args[1])
			if err != nil {
				return err
			}
			return a.withPortal(c, args[0], func(ctx context.Context, id string) (client.Application, error) {
				return a.client().SetApplication(ctx, id, files)
			})
		},
	}
}

func (a *app) applicationShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ORIGIN|ID",
		Short: "Show a portal's own schema, entities and policies",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withPortal(c, args[0], func(ctx context.Context, id string) (client.Application, error) {
				return a.client().Application(ctx, id)
			})
		},
	}
}

func (a *app) applicationValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FOLDER",
		Short: "Check whether a folder could be an application; changes nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := readApplication(args[0])
			if err != nil {
				return err
			}
			out, err := a.client().ValidateApplication(c.Context(), files)
			if err != nil {
				return err
			}
			return a.show(out, func() { a.printApplication(out) })
		},
	}
}

func (a *app) applicationRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ORIGIN|ID",
		Short: "Take a portal's own rules away: its questions about anything but itself are refused then",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.findPortal(c.Context(), args[0])
			if err != nil {
				return err
			}
			out, err := a.client().RemoveApplication(c.Context(), p.ID)
			if err != nil {
				return err
			}
			return a.show(out, func() {
				a.printf("%s: %s\n", p.Origin, a.say("has no rules of its own any more", "已無自己的規則"))
			})
		},
	}
}

// withPortal does something with a portal's application and shows what came of it.
func (a *app) withPortal(c *cobra.Command, name string, do func(ctx context.Context, id string) (client.Application, error)) error {
	p, err := a.findPortal(c.Context(), name)
	if err != nil {
		return err
	}
	out, err := do(c.Context(), p.ID)
	if err != nil {
		return err
	}
	return a.show(out, func() { a.printApplication(out) })
}

func (a *app) printApplication(p client.Application) {
	told := []string{
		a.say("Version", "版本"), p.Version,
		a.say("Policies", "規則數"), strconv.Itoa(p.Policies),
		a.say("Entities", "實體數"), strconv.Itoa(p.Entities),
	}
	if p.Number > 0 {
		told = append(told,
			a.say("Number", "序號"), strconv.Itoa(p.Number),
			a.say("Set", "設定時間"), a.moment(p.SetAt),
			a.say("By", "設定者"), p.SetBy)
	}
	a.facts(told...)
	if p.Broken {
		a.printf("\n%s\n", a.say("✖ It cannot be loaded any more: everything is refused. Set it again.", "✖ 已無法載入，所有詢問一律拒絕；請重新設定。"))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		a.printf("\n// %s\n%s", clean(name), p.Files[name])
	}
}

// Bounds of what is read of a folder; the PDP has its own.
const (
	maxApplicationFiles = 64
	maxApplicationFile  = 4 << 20
)

// readApplication reads a folder's .cedarschema, .cedar and .json files.
func readApplication(folder string) (map[string]string, error) {
	files := map[string]string{}
	for _, pattern := range []string{"*.cedarschema", "*.cedar", "*.json"} {
		names, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				return nil, unreadable(err)
			}
			if len(files) == maxApplicationFiles || info.Size() > maxApplicationFile {
				return nil, fmt.Errorf("%s: more than %d files, or one larger than %d bytes", folder, maxApplicationFiles, maxApplicationFile)
			}
			raw, err := os.ReadFile(name) // #nosec G304 -- the person names the folder
			if err != nil {
				return nil, unreadable(err)
			}
			files[filepath.Base(name)] = string(raw)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no .cedarschema, .cedar or .json file in %s", folder)
	}
	return files, nil
}
