// Package reason holds every reason code ZT-<area>-<nnn> and its texts in
// Traditional Chinese and English, so that page, agent and command line say
// the same. Each area has its constants in a file of its own and its texts in
// texts/<area>.<language>.json. A test keeps codes and languages equal.
package reason

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Language is one of the two languages that every text exists in.
type Language string

// The languages.
const (
	Chinese Language = "zh-TW"
	English Language = "en"
)

// Text is what a person is told about one reason.
type Text struct {
	Title string `json:"title"` // a short name of the requirement or fault
	What  string `json:"what"`  // what happened, one sentence
	Do    string `json:"do"`    // what to do next
	// Steps are exact steps for the person, in order, where there are any.
	Steps []string `json:"steps,omitempty"`
	// StepsOn are the steps for one operating system, where they differ. Of
	// puts those of the reason's own system into Steps.
	StepsOn map[System][]string `json:"steps_on,omitempty"`
	// Minutes is how long the repair takes, 0 if unknown.
	Minutes int `json:"minutes,omitempty"`
	// Side is whose side the cause is on: you, key, device, policy or system.
	Side string `json:"side"`
	// Withheld says that a person sees the code alone: the rest would help an attacker.
	Withheld bool `json:"withheld,omitempty"`
}

//go:embed texts/*.json
var files embed.FS

var catalogue = sync.OnceValue(func() map[Language]map[string]Text { return load(files) })

func load(files fs.FS) map[Language]map[string]Text {
	all := map[Language]map[string]Text{Chinese: {}, English: {}}
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		_, lang, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".")
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		var texts map[string]Text
		if err := json.Unmarshal(raw, &texts); err != nil {
			panic(fmt.Sprintf("reason: %s: %v", name, err))
		}
		for code, text := range texts {
			if _, twice := all[Language(lang)][code]; twice {
				panic("reason: " + code + " stands twice in " + lang)
			}
			all[Language(lang)][code] = text
		}
	}
	return all
}

// Of returns the text of r in lang with its arguments filled in. An unknown
// code gives a text that shows the code and says whom to ask, never nothing.
func Of(lang Language, r wire.Reason) Text {
	text, ok := catalogue()[lang][r.Code]
	if !ok {
		text = catalogue()[lang][Unknown]
	}
	fill := make([]string, 0, 2*len(r.Args)+4)
	for _, name := range slices.Sorted(maps.Keys(r.Args)) {
		fill = append(fill, "{"+name+"}", r.Args[name])
	}
	fill = append(fill, "{code}", r.Code, saidMark, said(lang, r.Args)) // unless an argument says another
	replacer := strings.NewReplacer(fill...)
	text.Title, text.What, text.Do = replacer.Replace(text.Title), replacer.Replace(text.What), replacer.Replace(text.Do)
	text.Steps = replaced(replacer, text.Steps)
	all := make(map[System][]string, len(text.StepsOn))
	for system, steps := range text.StepsOn {
		all[system] = replaced(replacer, steps)
	}
	text.StepsOn = all
	if steps, ok := all[System(r.Args[systemArg])]; ok {
		text.Steps = steps
	}
	return text
}

func replaced(replacer *strings.Replacer, lines []string) []string {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i] = replacer.Replace(lines[i])
	}
	return lines
}

// Codes returns every code that has a text, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(catalogue()[English])) }

// New returns a reason with arguments given as name, value, name, value.
func New(code string, args ...string) wire.Reason {
	r := wire.Reason{Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if r.Args == nil {
			r.Args = make(map[string]string, len(args)/2)
		}
		r.Args[args[i]] = args[i+1]
	}
	return r
}
