package policy

import (
	"bytes"
	"embed"
	"path"
)

//go:embed schema.cedarschema
var schemaText []byte

//go:embed baseline
var shipped embed.FS

// Schema returns the published Cedar schema that policies are written against.
func Schema() []byte { return bytes.Clone(schemaText) }

// Baseline returns the shipped Class A policy set, by file name.
func Baseline() map[string][]byte { return shippedFiles("baseline", ".cedar") }

// BaselineCases returns what the shipped policy set must answer, by file name,
// for ParseCases.
func BaselineCases() map[string][]byte { return shippedFiles("baseline/cases", ".yaml") }

func shippedFiles(folder, suffix string) map[string][]byte {
	entries, err := shipped.ReadDir(folder)
	if err != nil {
		panic(err) // embedded at build time
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if path.Ext(entry.Name()) != suffix {
			continue
		}
		text, err := shipped.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			panic(err)
		}
		files[entry.Name()] = text
	}
	return files
}
