// Package examples holds the sources of the example plugins. They are built
// and tested like all else here, and a new plugin is written from them.
package examples

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
)

//go:embed plugin-go/*.go plugin-python/*.py
var sources embed.FS

// Languages that a plugin can be written in from here.
const (
	Go     = "go"
	Python = "python"
)

// Plugin returns the files of the example in a language, by name, with the
// plugin's name in place of the example's; none for another language.
func Plugin(language, name string) (map[string][]byte, error) {
	example := "plugin-" + language
	if language != Go && language != Python {
		return nil, nil
	}
	entries, err := fs.ReadDir(sources, example)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		text, err := sources.ReadFile(path.Join(example, e.Name()))
		if err != nil {
			return nil, err
		}
		files[e.Name()] = bytes.ReplaceAll(text, []byte(example), []byte(name))
	}
	return files, nil
}
