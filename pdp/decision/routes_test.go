package decision

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

var someRoutes = []wire.Route{
	{Path: "/payroll/help", Class: "help"},
	{Path: "/payroll", Class: "payroll"},
	{Path: "/admin/", Action: wire.ActionAdmin},
	{Path: "/search", Methods: []string{"POST"}, Action: wire.ActionRead},
	{Path: "/reports", Methods: []string{"GET"}, Action: wire.ActionWrite, Class: "reports"},
	{Path: "/人事", Class: "people"},
}

// judged is a reading as a test writes it: "read payroll", "read" for no class,
// "read -,payroll" for both, "" for unreadable.
func judged(r Reading) string {
	if len(r.Classes()) == 0 {
		return ""
	}
	classes := slices.Clone(r.Classes())
	slices.Sort(classes)
	if len(classes) == 1 && classes[0] == "" {
		return string(r.Action)
	}
	if classes[0] == "" {
		classes[0] = "-"
	}
	return string(r.Action) + " " + strings.Join(classes, ",")
}

func TestRoutes(t *testing.T) {
	routes := NewRoutes(someRoutes)
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/", "read"},
		{"POST", "/", "write"},
		{"GET", "/payroll", "read payroll"},
		{"GET", "/payroll/", "read payroll"},
		{"GET", "/payroll/2026?x=/admin", "read payroll"},
		{"POST", "/payroll/2026", "write payroll"},
		{"GET", "/payroll/help/me", "read help"}, // the first that fits
		{"GET", "/payrolls", "read"},
		{"GET", "/payroll.html", "read -,payroll"}, // some frameworks serve it as /payroll
		{"GET", "/Payroll.json", "read -,payroll"},
		{"GET", "/payroll/help.json", "read help,payroll"},
		{"GET", "/payrolls.html", "read"},
		{"GET", "/x.admin", "read"},
		{"GET", "/admin", "admin"},
		{"GET", "/admin/x", "admin"},
		{"DELETE", "/admin/x", "admin"},
		{"GET", "/administration", "read"},
		{"POST", "/search", "read"},
		{"PUT", "/search", "write"},
		{"GET", "/reports/1", "write reports"},
		{"HEAD", "/reports/1", "write reports"},
		{"POST", "/reports/1", "write"},
		{"GET", "/%E4%BA%BA%E4%BA%8B/1", "read people"}, // as browsers write it
		{"GET", "/人事", "read people"},
		{"GET", "/.well-known/x", "read"},
		{"GET", "/a.b/c..d/e", "read"},
		{"OPTIONS", "/payroll", "write payroll"},

		// Ways of writing the same.
		{"GET", "/PAYROLL", "read -,payroll"},
		{"GET", "/Admin/x", "admin"},
		{"GET", "/%70ayroll", "read -,payroll"},
		{"GET", "/%2570ayroll", "read -,payroll"},
		{"GET", "/%252570ayroll", "read -,payroll"},
		{"GET", "/public/../payroll", "read -,payroll"},
		{"GET", "/public/%2e%2e/payroll", "read -,payroll"},
		{"GET", "/public/%2E./payroll", "read -,payroll"},
		{"GET", "/public%2F..%2Fpayroll", "read -,payroll"},
		{"GET", "/public%252F..%252Fpayroll", "read -,payroll"},
		{"GET", "/public/..;/payroll", "read -,payroll"},
		{"GET", "/public;a=b/../payroll;c", "read -,payroll"},
		{"GET", "/;/payroll", "read -,payroll"},
		{"GET", "//payroll", "read -,payroll"},
		{"GET", "//evil.example/payroll", "read -,payroll"}, // as a URL without its scheme
		{"GET", "///evil.example/payroll", "read -,payroll"},
		{"GET", `/\evil.example/payroll`, "read -,payroll"},
		{"GET", "/%2Fevil.example/payroll", "read -,payroll"},
		{"GET", "/index.php/payroll", "read -,payroll"}, // behind a front controller
		{"GET", "/index.php/app.cgi/payroll", "read -,payroll"},
		{"GET", "/payroll/index.php/help", "read help,payroll"},
		{"GET", "/(S(x))/payroll", "read -,payroll"}, // ASP.NET's sessions without cookies
		{"GET", "/(A(x)S(y)F(z))/payroll/1", "read -,payroll"},
		{"GET", "/pay/(S(x))roll", "read -,payroll"},
		{"GET", "/%28S%28x%29%29/(F(y))/payroll", "read -,payroll"},
		{"GET", "/(S(x))payroll", "read -,payroll"},
		{"GET", "/(S(x))", "read"},
		{"GET", "/(draft)/x", "read"},
		{"GET", "/x/(1", "read"},
		{"GET", "/./payroll", "read -,payroll"},
		{"GET", "/../payroll", "read -,payroll"},
		{"GET", `/\payroll`, "read -,payroll"},
		{"GET", `/public\..\payroll`, "read -,payroll"},
		{"GET", "/%5cpayroll", "read -,payroll"},
		{"GET", "/payroll.", "read -,payroll"},
		{"GET", "/payroll%20/x", "read -,payroll"},
		{"GET", "/payroll:$DATA", "read -,payroll"},
		{"GET", "/payroll#x", "read -,payroll"},
		{"GET", "/payroll%3Fx", "read -,payroll"},
		{"GET", "/\uff0fpayroll", "read -,payroll"},
		{"GET", "/%EF%BC%8Fpayroll", "read -,payroll"},
		{"GET", "/\uff50ayroll", "read -,payroll"},
		{"GET", "/admi\u0131", "read"},                  // no reading folds a dotless i
		{"GET", "/\u017fearch", "read"},                 // POST alone
		{"PUT", "/payroll/../admin", "admin -,payroll"}, // the gravest of both
		{"GET", "/admin/../public", "admin"},
		{"GET", "/payroll/help/../x", "read help,payroll"},
		{"GET", "/x/../payroll/help/../../admin/..;/reports", "admin -,reports"},
		{"GET", "/a%2Fb", "read"},
		{"GET", "/100%25", "read"},
		{"GET", "/" + strings.Repeat("%E4%BA%BA", 200), "read"},
		{"GET", "/v1/x:cancel", "read"},

		// What cannot be told.
		{"GET", "/x%zz", ""},
		{"GET", "/x%", ""},
		{"GET", "/x%u0041", ""},
		{"GET", "/x%00", ""},
		{"GET", "/x%2500", ""},
		{"GET", "/x%0a", ""},
		{"GET", "/x%ff", ""},
		{"GET", "/%c0%afpayroll", ""},
		{"GET", "/x\xff", ""},
		{"GET", "", ""},
		{"GET", "*", ""},
		{"GET", "payroll", ""},
		{"GET", "?/payroll", ""},
		{"GET", "http://hr.example/payroll", ""},
		{"get", "/payroll", ""},
		{"G T", "/", ""},
		{"GET", "/a;" + strings.Repeat("x", maxOdd), ""},
		{"GET", "/" + strings.Repeat("x", 1500) + "/%252541;b", ""}, // many readings of a long path cost too much
		{"GET", "/" + strings.Repeat("%2525", 20) + "/..;/a\\b/..//.;c/d.", ""},
	} {
		if got := judged(routes.Read(c.method, c.target, false)); got != c.want {
			t.Errorf("%s %q: %q, not %q", c.method, c.target, got, c.want)
		}
	}
}

// An upgrade is a write, whatever a route says, and more where a route says so.
func TestUpgradesAreWrites(t *testing.T) {
	routes := NewRoutes([]wire.Route{{Path: "/ws", Action: wire.ActionRead}, {Path: "/root", Action: wire.ActionAdmin}})
	for target, want := range map[string]string{"/ws": "write", "/root": "admin", "/else": "write", "/%77s": "write"} {
		if got := judged(routes.Read("GET", target, true)); got != want {
			t.Errorf("%s: %q, not %q", target, got, want)
		}
	}
}

// Without classes what cannot be told is of the gravest action that it might be.
func TestUnreadableIsTheGravest(t *testing.T) {
	reading := []wire.Route{{Path: "/", Action: wire.ActionRead}}
	for name, c := range map[string]struct {
		routes []wire.Route
		want   string
	}{
		"no routes":  {nil, "read"}, // nothing that it could be besides
		"reads only": {reading, "write"},
		"with admin": {append(reading, wire.Route{Path: "/x", Action: wire.ActionAdmin}), "admin"},
		"broken":     {[]wire.Route{{Path: "no slash", Action: wire.ActionRead}}, ""},
	} {
		if got := judged(NewRoutes(c.routes).Read("GET", "/x%ff", false)); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	if got := judged(NewRoutes([]wire.Route{{Path: "x"}}).Read("GET", "/", false)); got != "" {
		t.Errorf("broken routes read %q", got)
	}
	if got := judged(Reading{}); got != "" {
		t.Errorf("the zero reading is %q", got)
	}
}

// More classes at once than are looked at cannot be told.
func TestTooManyClassesAtOnce(t *testing.T) {
	var routes []wire.Route
	target := ""
	for _, class := range []string{"a", "b", "c", "d", "e"} {
		routes = append(routes, wire.Route{Path: "/" + class, Class: class})
	}
	target = "/a%2F../b%252F../c%25252F..;/../d\\../e"
	if got := judged(NewRoutes(routes).Read("GET", target, false)); got != "" {
		t.Errorf("%q", got)
	}
}

func TestPlainPathsCostNoAllocation(t *testing.T) {
	routes := NewRoutes(someRoutes)
	for _, target := range []string{"/", "/payroll/2026?page=2", "/Reports/A", "/x/y/z"} {
		if n := testing.AllocsPerRun(100, func() { routes.Read(http.MethodGet, target, false) }); n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
	}
}

func BenchmarkRoutes(b *testing.B) {
	var many []wire.Route
	for i := range wire.MaxRoutes {
		many = append(many, wire.Route{Path: "/part" + strings.Repeat("x", i%40) + "/sub", Action: wire.ActionAdmin})
	}
	for name, c := range map[string]struct {
		routes []wire.Route
		target string
	}{"six": {someRoutes, "/records/2026?page=2"}, "256": {many, "/records/2026?page=2"}, "odd": {someRoutes, "/public/%2e%2e/payroll;x//y"}} {
		b.Run(name, func(b *testing.B) {
			routes := NewRoutes(c.routes)
			b.ReportAllocs()
			for b.Loop() {
				routes.Read(http.MethodGet, c.target, false)
			}
		})
	}
}
