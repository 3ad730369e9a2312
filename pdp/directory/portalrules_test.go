package directory

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (f *fixture) portal(t *testing.T) wire.Portal {
	t.Helper()
	p, _, err := f.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoutesOfAPortal(t *testing.T) {
	f := open(t)
	p := f.portal(t)
	for _, routes := range [][]wire.Route{
		{{Path: "/payroll", Class: "payroll"}, {Path: "/人事/a.b/", Methods: []string{"GET", "M-SEARCH"}, Action: wire.ActionAdmin}},
		{{Path: "/", Action: wire.ActionRead}, {Path: "/v1/x:cancel", Action: wire.ActionWrite, Class: "c-1"}},
		nil,
	} {
		got, err := f.SetPortalRoutes(t.Context(), p.ID, routes)
		if err != nil || !reflect.DeepEqual(got.Routes, routes) {
			t.Errorf("%+v %v", got, err)
		}
		if last := f.changes[len(f.changes)-1]; last.Kind != KindPortal || last.ID != p.ID {
			t.Errorf("told %+v", last)
		}
	}
	var classes []wire.Route
	for i := range wire.MaxClasses + 1 {
		classes = append(classes, wire.Route{Path: "/" + strconv.Itoa(i), Class: "c" + strconv.Itoa(i)})
	}
	for name, routes := range map[string][]wire.Route{
		"no slash":       {{Path: "payroll", Class: "a"}},
		"empty path":     {{Class: "a"}},
		"escape":         {{Path: "/pay%20roll", Class: "a"}},
		"query":          {{Path: "/a?b", Class: "a"}},
		"fragment":       {{Path: "/a#b", Class: "a"}},
		"parameter":      {{Path: "/a;b", Class: "a"}},
		"backslash":      {{Path: `/a\b`, Class: "a"}},
		"wildcard":       {{Path: "/a/*", Class: "a"}},
		"space":          {{Path: "/a b", Class: "a"}},
		"control":        {{Path: "/a\x7f", Class: "a"}},
		"not UTF-8":      {{Path: "/\xff", Class: "a"}},
		"doubled slash":  {{Path: "/a//b", Class: "a"}},
		"two slashes":    {{Path: "//", Class: "a"}},
		"dot segment":    {{Path: "/a/../b", Class: "a"}},
		"dot at the end": {{Path: "/a.", Class: "a"}},
		"the PDP's own":  {{Path: "/.menshen/x", Class: "a"}},
		"long":           {{Path: "/" + strings.Repeat("a", 256), Class: "a"}},
		"method":         {{Path: "/a", Methods: []string{"get"}, Class: "a"}},
		"empty method":   {{Path: "/a", Methods: []string{""}, Class: "a"}},
		"many methods":   {{Path: "/a", Methods: slices.Repeat([]string{"GET"}, 17), Class: "a"}},
		"action":         {{Path: "/a", Action: "delete"}},
		"class":          {{Path: "/a", Class: "A"}},
		"long class":     {{Path: "/a", Class: strings.Repeat("a", 33)}},
		"says nothing":   {{Path: "/a"}},
		"too many":       slices.Repeat([]wire.Route{{Path: "/a", Class: "a"}}, wire.MaxRoutes+1),
		"classes":        classes,
		"second":         {{Path: "/a", Class: "a"}, {Path: "b", Class: "a"}},
	} {
		if _, err := f.SetPortalRoutes(t.Context(), p.ID, routes); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := f.Portal(t.Context(), p.ID); err != nil || now.Routes != nil {
		t.Errorf("a refused list was kept: %+v %v", now, err)
	}
	for _, id := range []string{"por-00000000000000000000000004", "x"} {
		_, err := f.SetPortalRoutes(t.Context(), id, nil)
		wants(t, err, ErrNotFound)
	}
}

func TestNetworksThatTokensArePresentedFrom(t *testing.T) {
	f := open(t)
	p := f.portal(t)
	for _, networks := range [][]string{{"10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48"}, nil} {
		got, err := f.SetPortalTokenFrom(t.Context(), p.ID, networks)
		if err != nil || !slices.Equal(got.TokenFrom, networks) {
			t.Errorf("%+v %v", got, err)
		}
	}
	for name, networks := range map[string][]string{
		"everywhere":      {"0.0.0.0/0"},
		"nearly":          {"8.0.0.0/7"},
		"everywhere IPv6": {"::/0"},
		"wide IPv6":       {"2001::/31"},
		"no prefix":       {"10.0.0.1"},
		"host bits":       {"10.0.0.1/8"},
		"zone":            {"fe80::1%eth0/64"},
		"text":            {"office"},
		"twice":           {"10.0.0.0/8", "10.0.0.0/8"},
		"many":            slices.Repeat([]string{"10.0.0.0/8"}, wire.MaxTokenNetworks+1),
	} {
		if _, err := f.SetPortalTokenFrom(t.Context(), p.ID, networks); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := f.SetPortalTokenFrom(t.Context(), "por-00000000000000000000000004", nil)
	wants(t, err, ErrNotFound)
}
