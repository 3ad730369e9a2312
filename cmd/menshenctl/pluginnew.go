package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/examples"
	"github.com/menshen-zt/menshen/internal/reason"
)

const (
	modulePath = "github.com/menshen-zt/menshen"
	moduleGo   = "1.26.0" // as in this module's go.mod
)

var (
	pluginName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	releaseShape = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
)

// newPlugin is what the command is asked for.
type newPlugin struct{ name, language, parent, source string }

func (a *app) pluginNew() *cobra.Command {
	var in newPlugin
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a plugin that works, into a new folder NAME, to begin with",
		Long: `Writes a plugin that builds, runs and passes the suite, into a new folder NAME:
in Go a module of its own, in Python the files of one program. It needs no PDP.
docs/plugins.md tells how to go on.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in.name = args[0]
			folder, err := in.write()
			if err != nil {
				return err
			}
			return a.show(map[string]string{"name": in.name, "language": in.language, "folder": folder}, func() { a.tellNewPlugin(in, folder) })
		},
	}
	c.Flags().StringVar(&in.language, "lang", examples.Go, "language: go or python")
	c.Flags().StringVar(&in.parent, "dir", ".", "where to make the folder")
	c.Flags().StringVar(&in.source, "source", "", "a clone of Menshen's source that a plugin in Go is built against, in place of a release")
	return c
}

// write makes the folder and returns it. It writes nothing where it refuses.
func (p newPlugin) write() (string, error) {
	if !pluginName.MatchString(p.name) {
		return "", notWritten(reason.PluginNewName)
	}
	files, err := examples.Plugin(p.language, p.name)
	switch {
	case err != nil:
		return "", err
	case files == nil:
		return "", notWritten(reason.PluginNewLanguage, "language", clean(p.language))
	case p.language == examples.Go:
		if err := p.addModule(files, version); err != nil {
			return "", err
		}
	}
	folder := filepath.Join(p.parent, p.name)
	if err := writeFiles(folder, files); err != nil {
		detail := err.Error()
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			detail = at.Err.Error()
		}
		return "", notWritten(reason.PluginNewFolder, "folder", folder, "detail", detail)
	}
	return folder, nil
}

// addModule adds the module of a plugin in Go, so that anybody can build it
// outside Menshen's source: against a release, or against a clone and with the
// sums that the clone vouches for.
func (p newPlugin) addModule(files map[string][]byte, release string) error {
	replace := ""
	if p.source != "" {
		source, err := filepath.Abs(p.source)
		if err != nil {
			return err
		}
		mod, err := os.ReadFile(filepath.Join(source, "go.mod")) // #nosec G304 -- the person's own file
		if err != nil || !strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
			return notWritten(reason.PluginNewSource, "detail", filepath.Join(source, "go.mod"))
		}
		if files["go.sum"], err = os.ReadFile(filepath.Join(source, "go.sum")); err != nil { // #nosec G304 -- the person's own file
			return notWritten(reason.PluginNewSource, "detail", filepath.Join(source, "go.sum"))
		}
		release, replace = "v0.0.0", fmt.Sprintf("\nreplace %s => %q\n", modulePath, source)
	}
	if !releaseShape.MatchString(release) {
		return notWritten(reason.PluginNewSource, "detail", "--source")
	}
	files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo %s\n\nrequire %s %s\n%s", p.name, moduleGo, modulePath, release, replace)
	return nil
}

func notWritten(code string, args ...string) error {
	return &failure{exitRefused, reason.New(code, args...)}
}

func (a *app) tellNewPlugin(in newPlugin, folder string) {
	a.printf(a.say("%s is written. Build it, and put it through the suite:\n", "已寫入 %s。請建置並以測試套件檢查：\n"), clean(folder))
	if in.language == examples.Python {
		a.printf("  python3 -m zipapp %s -p \"/usr/bin/python3 -I\" -o %s.pyz\n", clean(folder), clean(folder))
		a.printf("  MENSHEN_PLUGIN=$PWD/%s.pyz go test -count=1 -run TestSuite %s/plugins/contracttest\n", clean(folder), modulePath)
		return
	}
	a.printf("  cd %s && go test -mod=mod ./... && CGO_ENABLED=0 go build\n", clean(folder))
}
