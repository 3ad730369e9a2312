package contracttest

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
	"unicode"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds that the host sets on what will stand on a page.
const (
	maxArguments = 8
	maxArgument  = 64
)

var (
	pdpCode     = regexp.MustCompile(`^ZT-TRU-\d{3}$`)
	ownCode     = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	placeholder = regexp.MustCompile(`\{([a-z0-9_]+)\}`)
)

// description asks that a plugin says what it is, and says it again.
func description(t *testing.T, p *program, c contract.Client) {
	d := p.says
	if d.Name == "" || d.Version == "" || d.Cluster <= contract.ClusterUnknown || d.Cluster > contract.ClusterPosture {
		t.Errorf("%+v", d)
	}
	for _, f := range d.Features {
		if f <= contract.FeatureUnknown || f > contract.FeatureFiles {
			t.Errorf("unknown feature %d", f)
		}
	}
	for _, k := range d.Kinds {
		if k <= contract.KindSituation || k > contract.KindActivity {
			t.Errorf("wants to be taught kind %d", k)
		}
	}
	texts(t, d.Texts)
	p.teach(t, c, p.days("p", 0, 1)...)
	again, err := c.Describe(within(t))
	if err != nil || !reflect.DeepEqual(d, again) {
		t.Errorf("described as %+v, then %+v (%v)", d, again, err)
	}
	if ready, err := c.Ready(within(t)); err != nil || !ready {
		t.Errorf("ready: %v %v", ready, err)
	}
}

// texts are in both languages and need the same arguments in both.
func texts(t *testing.T, all []contract.ReasonText) {
	t.Helper()
	seen := map[string]bool{}
	for _, text := range all {
		if !ownCode.MatchString(text.Code) || seen[text.Code] {
			t.Errorf("reason code %q: lower-case letters, digits and hyphens, once", text.Code)
		}
		seen[text.Code] = true
		if text.English == "" || len(text.English) > contract.MaxTextBytes || len(text.Chinese) > contract.MaxTextBytes {
			t.Errorf("%s: a text of 1 to %d bytes", text.Code, contract.MaxTextBytes)
		}
		if !slices.ContainsFunc([]rune(text.Chinese), func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: %q is no Chinese", text.Code, text.Chinese)
		}
		if en, zh := arguments(text.English), arguments(text.Chinese); !slices.Equal(en, zh) {
			t.Errorf("%s: arguments %q in English, %q in Chinese", text.Code, en, zh)
		}
	}
	if len(all) > contract.MaxTexts {
		t.Errorf("%d texts", len(all))
	}
}

func arguments(text string) []string {
	var all []string
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// check is what the host demands of every verdict, and a little more.
func (p *program) check(t *testing.T, v contract.Verdict) {
	t.Helper()
	switch {
	case math.IsNaN(v.LLR) || math.Abs(v.LLR) > 50:
		t.Errorf("llr %v", v.LLR)
	case math.IsNaN(v.Confidence) || v.Confidence < 0 || v.Confidence > 1:
		t.Errorf("confidence %v", v.Confidence)
	case v.TTL <= 0 || v.TTL > 24*time.Hour:
		t.Errorf("ttl %v", v.TTL)
	case v.Abstained && v.LLR != 0:
		t.Errorf("abstained with an opinion: %+v", v)
	case len(v.Reasons) == 0 || len(v.Reasons) > contract.MaxReasons:
		t.Errorf("%d reasons: a person must be told why", len(v.Reasons))
	}
	for _, r := range v.Reasons {
		p.checkReason(t, r)
	}
}

func (p *program) checkReason(t *testing.T, r contract.Reason) {
	t.Helper()
	for name, value := range r.Args {
		if len(r.Args) > maxArguments || len(name) > maxArgument || len(value) > maxArgument ||
			slices.ContainsFunc([]rune(name+value), func(r rune) bool { return !unicode.IsPrint(r) || r == '<' || r == '>' }) {
			t.Errorf("%s: argument %q = %q", r.Code, name, value)
		}
	}
	if pdpCode.MatchString(r.Code) {
		return
	}
	n := slices.IndexFunc(p.says.Texts, func(text contract.ReasonText) bool { return text.Code == r.Code })
	if n < 0 {
		t.Errorf("reason code %q is neither the PDP's nor in Texts", r.Code)
		return
	}
	for _, name := range arguments(p.says.Texts[n].English) {
		if _, given := r.Args[name]; !given {
			t.Errorf("%s: no argument %q", r.Code, name)
		}
	}
}
