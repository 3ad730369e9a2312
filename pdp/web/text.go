package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
)

//go:embed texts/*.json
var textFiles embed.FS

// catalogue holds the pages' own texts by key; those of reasons are in
// internal/reason.
type catalogue map[string]string

func loadTexts() (map[reason.Language]catalogue, error) {
	all := make(map[reason.Language]catalogue, 2)
	for _, lang := range []reason.Language{reason.Chinese, reason.English} {
		raw, err := textFiles.ReadFile("texts/" + string(lang) + ".json")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		var texts catalogue
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("web: texts of %s: %w", lang, err)
		}
		all[lang] = texts
	}
	return all, nil
}

// text returns a text with its arguments, given as name, value. A missing key
// is an error and not an empty line.
func (c catalogue) text(key string, arguments ...any) (string, error) {
	text, ok := c[key]
	if !ok {
		return "", fmt.Errorf("web: no text %q", key)
	}
	if len(arguments)%2 != 0 {
		return "", fmt.Errorf("web: text %q: an argument without a value", key)
	}
	pairs := make([]string, len(arguments))
	for i, argument := range arguments {
		if pairs[i] = fmt.Sprint(argument); i%2 == 0 {
			pairs[i] = "{" + pairs[i] + "}"
		}
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}
