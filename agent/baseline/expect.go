package baseline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Expect says what a value must be. Exactly one way is given, but for AtLeast
// and AtMost, which may stand together.
type Expect struct {
	// OneOf are the accepted values, compared without regard to case.
	OneOf []string `yaml:"one_of"`
	// AtLeast and AtMost bound a whole number.
	AtLeast *int `yaml:"at_least"`
	AtMost  *int `yaml:"at_most"`
	// Covers is an octal mask: the value, read as octal, must have all its
	// bits, such as a umask.
	Covers string `yaml:"covers"`
	// Set accepts any value, as long as there is one.
	Set bool `yaml:"set"`
}

func (e *Expect) wrong(path string) []yamlfile.Fault {
	ways := 0
	for _, given := range []bool{len(e.OneOf) > 0, e.AtLeast != nil || e.AtMost != nil, e.Covers != "", e.Set} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return []yamlfile.Fault{{Path: path, Problem: "one_of, at_least with at_most, covers or set: exactly one of them is needed"}}
	}
	if e.Covers != "" {
		if _, err := strconv.ParseUint(e.Covers, 8, 12); err != nil {
			return []yamlfile.Fault{{Path: path + ".covers", Problem: "must be octal, such as \"027\""}}
		}
	}
	return nil
}

// value is one thing that was read, by its name. Missing says that it is set
// nowhere.
type value struct {
	name, text string
	missing    bool
}

func (v value) String() string {
	if v.missing {
		return v.name + " is not set"
	}
	return v.name + " = " + v.text
}

// accepts reports whether one value is as expected. One that is not set never is.
func (e *Expect) accepts(v value) bool {
	if v.missing {
		return false
	}
	text := strings.TrimSpace(v.text)
	switch {
	case len(e.OneOf) > 0:
		return slices.ContainsFunc(e.OneOf, func(want string) bool { return strings.EqualFold(want, text) })
	case e.AtLeast != nil || e.AtMost != nil:
		n, err := strconv.Atoi(text)
		return err == nil && (e.AtLeast == nil || n >= *e.AtLeast) && (e.AtMost == nil || n <= *e.AtMost)
	case e.Covers != "":
		want, err := strconv.ParseUint(e.Covers, 8, 12)
		have, problem := strconv.ParseUint(text, 8, 12)
		return err == nil && problem == nil && have&want == want
	}
	return e.Set && text != ""
}

// judge passes when every value is as expected, and there is one.
func (e *Expect) judge(values ...value) outcome {
	if len(values) == 0 {
		return cannot("nothing was read")
	}
	o := outcome{state: wire.ClaimPass}
	var seen []string
	for _, v := range values {
		if !e.accepts(v) {
			o.state = wire.ClaimFail
		}
		seen = append(seen, v.String())
	}
	o.seen = strings.Join(seen, ", ")
	return o
}

// String says what is expected, in signs that need no language.
func (e *Expect) String() string {
	switch {
	case len(e.OneOf) > 0:
		return strings.Join(e.OneOf, " | ")
	case e.AtLeast != nil && e.AtMost != nil:
		return fmt.Sprintf("%d…%d", *e.AtLeast, *e.AtMost)
	case e.AtLeast != nil:
		return fmt.Sprintf("≥ %d", *e.AtLeast)
	case e.AtMost != nil:
		return fmt.Sprintf("≤ %d", *e.AtMost)
	case e.Covers != "":
		return "⊇ " + e.Covers
	}
	return "*"
}
