package policy

import (
	"bytes"
	"embed"
	"path"
)

//go:embed schema.cedarschema
var schemaText []byte

//go:embed baseline/*.cedar
var baselineFiles embed.FS

// Schema returns the published Cedar schema that policies are written against.
func Schema() []byte { return bytes.Clone(schemaText) }

// Baseline returns the shipped Class A policy set, by file name.
func Baseline() map[string][]byte {
	entries, err := baselineFiles.ReadDir("baseline")
	if err != nil {
		panic(err) // embedded at build time
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		text, err := baselineFiles.ReadFile(path.Join("baseline", entry.Name()))
		if err != nil {
			panic(err)
		}
		files[entry.Name()] = text
	}
	return files
}
