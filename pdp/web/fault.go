package web

import (
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

type faultContent struct {
	Reason reasonText
	// Again is a path on this host where the person starts again.
	Again string
}

// Fault answers a person's navigation on a portal's host with a page that says
// what went wrong. Again is a path on that host where to start again, or empty.
func (s *Site) Fault(w http.ResponseWriter, r *http.Request, status int, why wire.Reason, again string) {
	s.fault(w, r, portalHost, status, why, again)
}

func (s *Site) fault(w http.ResponseWriter, r *http.Request, at host, status int, why wire.Reason, again string) {
	text := describe(language(r), why)
	s.render(w, r, show{
		host: at, status: status, name: "fault.html", title: "fault.title", titleArgs: []any{"reason", text.Title},
		scripts: []string{"page.js"}, content: faultContent{Reason: text, Again: again},
	})
}

type signedOutContent struct {
	Portal wire.Portal
	Again  string
}

// SignedOut tells somebody on a portal's host that the session has ended.
// Again is a path on that host where to sign in again, or empty.
func (s *Site) SignedOut(w http.ResponseWriter, r *http.Request, portal wire.Portal, again string) {
	s.render(w, r, show{
		host: portalHost, status: http.StatusOK, name: "signed-out.html", title: "signed-out.title",
		scripts: []string{"page.js"}, content: signedOutContent{Portal: portal, Again: again},
	})
}

var argument = regexp.MustCompile(`\{[a-z_]+\}`)

// withoutArguments shows a reason's general text, on a help page that knows no
// single case.
func withoutArguments(text reasonText) reasonText {
	text.Title, text.What, text.Do = argument.ReplaceAllString(text.Title, "…"), argument.ReplaceAllString(text.What, "…"), argument.ReplaceAllString(text.Do, "…")
	for _, steps := range append([][]string{text.Steps}, slices.Collect(maps.Values(text.StepsOn))...) {
		for i, step := range steps {
			steps[i] = argument.ReplaceAllString(step, "…")
		}
	}
	return text
}

// helpContent is a reason's general text, with the steps for every system: a
// help page knows no device.
type helpContent struct {
	reasonText
	Systems []systemSteps
}

type systemSteps struct {
	Name  string
	Steps []string
}

// systemNames are proper names, the same in both languages.
var systemNames = map[reason.System]string{
	reason.LinuxDebian: "Debian, Ubuntu", reason.LinuxRHEL: "Red Hat Enterprise Linux, Fedora", reason.Windows: "Windows", reason.MacOS: "macOS",
}

func helpOf(text reasonText) helpContent {
	content := helpContent{reasonText: withoutArguments(text)}
	for _, system := range reason.Systems() {
		if steps := text.StepsOn[system]; len(steps) > 0 {
			content.Systems = append(content.Systems, systemSteps{Name: systemNames[system], Steps: steps})
		}
	}
	return content
}
