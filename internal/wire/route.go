package wire

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a portal's routes.
const (
	MaxRoutes  = 256
	MaxClasses = 32
	// MaxTokenNetworks bounds Portal.TokenFrom.
	MaxTokenNetworks = 32

	maxRoutePath    = 256
	maxRouteMethods = 16
)

// Faults of a route, as CheckRoutes tells them.
const (
	RouteFaultCount   = "count"
	RouteFaultPath    = "path"
	RouteFaultMethods = "methods"
	RouteFaultAction  = "action"
	RouteFaultClass   = "class"
	RouteFaultEmpty   = "empty"
)

// CheckRoutes returns which part of which route is wrong, counted from 1, or
// nothing. A route path is written as the application reads it: decoded, in
// whole segments, without anything that could be read in two ways.
func CheckRoutes(routes []Route) (number int, fault string) {
	if len(routes) > MaxRoutes {
		return len(routes), RouteFaultCount
	}
	classes := map[string]bool{}
	for i, r := range routes {
		if fault := r.fault(); fault != "" {
			return i + 1, fault
		}
		if classes[r.Class] = true; r.Class != "" && len(classes) > MaxClasses {
			return i + 1, RouteFaultCount
		}
	}
	return 0, ""
}

func (r Route) fault() string {
	switch {
	case !routePath(r.Path):
		return RouteFaultPath
	case len(r.Methods) > maxRouteMethods || slices.ContainsFunc(r.Methods, func(m string) bool { return !PlainMethod(m) }):
		return RouteFaultMethods
	case r.Action != "" && r.Action != ActionRead && r.Action != ActionWrite && r.Action != ActionAdmin:
		return RouteFaultAction
	case r.Class != "" && !className(r.Class):
		return RouteFaultClass
	case r.Class == "" && r.Action == "":
		return RouteFaultEmpty
	}
	return ""
}

func routePath(path string) bool {
	if !strings.HasPrefix(path, "/") || len(path) > maxRoutePath || !utf8.ValidString(path) {
		return false
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`%?#;\*`, r) }) {
		return false
	}
	if path == "/" {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/")[1:], "/") {
		if segment == "" || strings.HasSuffix(segment, ".") {
			return false
		}
	}
	return !strings.HasPrefix(path+"/", "/.menshen/") // those are the PDP's own
}

// PlainMethod reports whether a method is written in capital letters, as every
// registered one but a few with hyphens is.
func PlainMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return method != "" && len(method) <= 32
}

func className(class string) bool {
	for i := range len(class) {
		if c := class[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(class) <= 32
}

// Stricter returns the graver of two actions. One that nobody knows is a write.
func Stricter(a, b Action) Action {
	if b.gravity() > a.gravity() {
		return b
	}
	return a
}

func (a Action) gravity() int {
	switch a {
	case ActionRead:
		return 0
	case ActionAdmin:
		return 2
	default:
		return 1
	}
}
