package main

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// table prints rows under headings, or says that there are none.
func (a *app) table(headings []string, rows [][]string) {
	if len(rows) == 0 {
		a.printf("%s\n", a.say("(none)", "（無）"))
		return
	}
	widths := make([]int, len(headings))
	for _, row := range append([][]string{headings}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], cells(clean(cell)))
		}
	}
	for _, row := range append([][]string{headings}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			cell = clean(cell)
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-cells(cell)+2))
			}
		}
		a.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// facts prints names and values under each other.
func (a *app) facts(pairs ...string) {
	widest := 0
	for i := 0; i < len(pairs); i += 2 {
		widest = max(widest, cells(pairs[i]))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		a.printf("%s%s  %s\n", pairs[i], strings.Repeat(" ", widest-cells(pairs[i])), clean(pairs[i+1]))
	}
}

// cells is how many columns of a terminal s takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.Is(unicode.Mn, r):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// clean keeps what could move a terminal's cursor from reaching it.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
}

// moment prints a time as the person's clock shows it.
func (a *app) moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}

func (a *app) yesNo(b bool) string {
	if b {
		return a.say("yes", "是")
	}
	return a.say("no", "否")
}
