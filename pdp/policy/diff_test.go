package policy

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSetsDifferByTheIdsOfTheirPolicies: comments, layout and file names do not.
func TestSetsDifferByTheIdsOfTheirPolicies(t *testing.T) {
	a := map[string][]byte{"a.cedar": []byte(`@id("kept")
permit (principal, action, resource);
@id("gone")
permit (principal, action == Action::"read", resource);
@id("changed") @reason("ZT-POL-010") @remedy("wait")
forbid (principal, action, resource) when { context.signIn.aal < 2 } unless { principal.admin };
`)}
	b := map[string][]byte{"b.cedar": []byte(`// another file
@id("kept")
permit   (principal, action,
  resource); // another layout
@id("changed")
@reason("ZT-POL-011")
forbid (principal, action, resource) when { context.signIn.aal < 3 } unless { principal.admin };
@id("new")
permit (principal, action == Action::"write", resource);
`)}
	d, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Added) != 1 || d.Added[0].ID != "new" || d.Added[0].File != "b.cedar" || len(d.Removed) != 1 || d.Removed[0].ID != "gone" || len(d.Changed) != 1 {
		t.Fatalf("%+v", d)
	}
	c := d.Changed[0]
	if diff := cmp.Diff([]AnnotationChange{{"reason", "ZT-POL-010", "ZT-POL-011"}, {"remedy", "wait", ""}}, c.Annotations); diff != "" {
		t.Error(diff)
	}
	marks := map[string]int{}
	for _, line := range c.Lines {
		marks[line.Mark]++
	}
	if marks["-"] != 1 || marks["+"] != 1 || marks[" "] < 2 {
		t.Errorf("%+v", c.Lines)
	}
	if d, err = Diff(Baseline(), maps.Clone(Baseline())); err != nil || len(d.Added)+len(d.Removed)+len(d.Changed) != 0 {
		t.Errorf("the baseline differs from itself: %+v %v", d, err)
	}
	if all, err := Sources(Baseline()); err != nil || len(all) != baseline(t).Policies() {
		t.Errorf("%d of %d policies, %v", len(all), baseline(t).Policies(), err)
	}
	if _, err = Diff(a, map[string][]byte{"b.cedar": []byte("permit")}); err == nil {
		t.Error("a set that cannot be loaded was compared")
	}
}

func TestLines(t *testing.T) {
	got := ""
	for _, line := range lines([]string{"a", "b", "c", "d"}, []string{"a", "x", "c", "d", "e"}) {
		got += line.Mark + line.Text
	}
	if got != " a-b+x c d+e" {
		t.Error(got)
	}
	long := make([]string, maxCompared+1)
	if got := lines(long, []string{"a"}); len(got) != maxCompared+2 || got[0].Mark != "-" || got[maxCompared+1].Mark != "+" {
		t.Error("texts that are too long are not told as other")
	}
}
