package decision

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// maxReadings bounds the ways of reading one path that are looked at, maxRead
	// their bytes in all: strangers choose the path. maxOdd is the length in bytes
	// of a path that can be read in several.
	maxReadings = 64
	maxRead     = 8 << 10
	maxOdd      = 2 << 10
	// maxAtOnce bounds the classes that one request may be of.
	maxAtOnce = 4
)

// Routes grade and class the requests of one portal (wire.Portal.Routes). They
// do not change.
//
// A proxy tells a path as the client wrote it, and applications read such a
// path in different ways: with its escapes decoded once or twice, with dot
// segments and doubled slashes or without, with parameters and endings cut off,
// behind a front controller or an authority, in any case. A path that says the same in every reading costs one look. For any
// other, all readings are judged: the gravest action counts, and each class
// must be allowed. So no way of writing an address lowers what it opens.
type Routes struct {
	list []prefix
	// gravest is the gravest action of all, at least write.
	gravest wire.Action
	classed bool
	broken  bool
}

// prefix is one route. An empty path fits everything.
type prefix struct {
	path, folded string
	methods      []string
	action       wire.Action
	class        string
}

// NewRoutes prepares a portal's routes. With routes that wire.CheckRoutes
// refuses, every request is unreadable.
func NewRoutes(routes []wire.Route) *Routes {
	c := &Routes{gravest: wire.ActionWrite}
	if number, _ := wire.CheckRoutes(routes); number != 0 {
		c.broken, c.classed = true, true
		return c
	}
	for _, r := range routes {
		path := strings.TrimSuffix(r.Path, "/")
		c.list = append(c.list, prefix{path: path, folded: fold(path), methods: r.Methods, action: r.Action, class: r.Class})
		c.gravest = wire.Stricter(c.gravest, r.Action)
		c.classed = c.classed || r.Class != ""
	}
	return c
}

// Reading is how a request is to be judged. The zero value is unreadable, and
// nothing is allowed by it.
type Reading struct {
	Action  wire.Action
	classes [maxAtOnce]string
	n       int
}

// Classes are those that must all be allowed; none if the request cannot be read.
func (r *Reading) Classes() []string { return r.classes[:r.n] }

// Read grades and classes a request by its method and its target as the client
// wrote them. An upgrade is a write at least.
func (c *Routes) Read(method, target string, upgrade bool) Reading {
	out := Reading{Action: action(method, upgrade)}
	if len(c.list) == 0 && !c.broken {
		out.n = 1 // of no class
		return out
	}
	path, _, _ := strings.Cut(target, "?")
	if c.broken || !wire.PlainMethod(method) {
		return c.unreadable(out.Action)
	}
	ask := asked{method: method, action: out.Action, upgrade: upgrade}
	if plain(path) {
		if c.join(&out, &ask, path, path) {
			return out
		}
		return c.unreadable(ask.action)
	}
	all, ok := readings(path)
	for _, path := range all {
		ok = ok && c.join(&out, &ask, path, fold(path))
	}
	if !ok {
		return c.unreadable(ask.action)
	}
	return out
}

// asked is what does not depend on how the path is read.
type asked struct {
	method  string
	action  wire.Action // where no route says another
	upgrade bool
}

// unreadable is the answer where a request might be for anything: the gravest
// action of all, and nothing at all if there are classes.
func (c *Routes) unreadable(base wire.Action) Reading {
	if c.classed {
		return Reading{}
	}
	return Reading{Action: wire.Stricter(base, c.gravest), n: 1}
}

// join adds what one reading of the path leads to, for applications that tell
// cases apart, for those that do not, and for those that serve /x as /x.json
// too, and reports whether there was room.
func (c *Routes) join(out *Reading, ask *asked, path, folded string) bool {
	return out.add(c.first(ask.method, path), ask) && out.add(c.firstFolded(ask.method, folded, whole), ask) &&
		(!strings.Contains(folded, ".") || out.add(c.firstFolded(ask.method, folded, ended), ask))
}

func (r *Reading) add(to *prefix, ask *asked) bool {
	action, class := ask.action, ""
	if to != nil {
		class = to.class
		if to.action != "" {
			action = to.action
		}
		if ask.upgrade {
			action = wire.Stricter(action, wire.ActionWrite)
		}
	}
	if r.n == 0 {
		r.Action = action
	}
	r.Action = wire.Stricter(r.Action, action)
	for _, known := range r.Classes() {
		if known == class {
			return true
		}
	}
	if r.n == maxAtOnce {
		return false
	}
	r.classes[r.n] = class
	r.n++
	return true
}

// first returns the first route that fits a path as it is written.
func (c *Routes) first(method, path string) *prefix {
	for i := range c.list {
		r := &c.list[i]
		if strings.HasPrefix(path, r.path) && whole(path, len(r.path)) && r.fits(method) {
			return r
		}
	}
	return nil
}

// firstFolded returns the first route that fits a path whatever its case, where
// at says that a segment ends.
func (c *Routes) firstFolded(method, path string, at func(path string, n int) bool) *prefix {
	for i := range c.list {
		r := &c.list[i]
		if n := len(r.folded); len(path) >= n && strings.EqualFold(path[:n], r.folded) && at(path, n) && r.fits(method) {
			return r
		}
	}
	return nil
}

// whole reports whether a prefix of n bytes ends where a segment of path does.
func whole(path string, n int) bool { return len(path) == n || path[n] == '/' }

// ended is whole for applications that take what follows a dot for the format.
func ended(path string, n int) bool { return whole(path, n) || path[n] == '.' }

// fits treats HEAD as GET: applications do.
func (r *prefix) fits(method string) bool {
	if len(r.methods) == 0 {
		return true
	}
	for _, m := range r.methods {
		if m == method || (m == http.MethodGet && method == http.MethodHead) {
			return true
		}
	}
	return false
}

// plain reports whether there is one way to read a path, but for its case.
func plain(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	dotted := false // this segment, behind its first sign
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ' || c >= 0x7f:
			return false
		case c == '%' || c == ';' || c == ':' || c == '\\' || c == '#':
			return false
		case c == '/' && i > 0 && (path[i-1] == '/' || path[i-1] == '.' || dotted):
			return false
		case c == '(' && path[i-1] == '/':
			return false
		case c == '.':
			dotted = dotted || path[i-1] != '/'
		}
	}
	return path[len(path)-1] != '.'
}

// fold brings what differs in case alone to one text.
func fold(path string) string { return strings.ToLower(strings.ToUpper(path)) }

// ways are the ways in which applications read a path. What one makes of it,
// the others read on.
var ways = [...]func(string) string{decoded, narrow, forward, unasked, bare, trimmed, single, straight, local, uncontrolled, sessionless}

// readings returns every path that an application may take this one for, or
// says that it cannot be told.
func readings(path string) ([]string, bool) {
	if len(path) > maxOdd || !strings.HasPrefix(path, "/") || !escaped(path) {
		return nil, false
	}
	if path = international(path); !legible(path) {
		return nil, false
	}
	all, known, read := []string{path}, map[string]bool{path: true}, len(path)
	for i := 0; i < len(all); i++ {
		for _, way := range ways {
			other := way(all[i])
			if known[other] {
				continue
			}
			if read += len(other); len(all) == maxReadings || read > maxRead || !legible(other) {
				return nil, false
			}
			known[other] = true
			all = append(all, other)
		}
	}
	return all, true
}

// legible reports whether a path is text without control characters.
func legible(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// escaped reports whether every percent sign begins an escape.
func escaped(path string) bool {
	for i := range len(path) {
		if path[i] == '%' && (i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2])) {
			return false
		}
	}
	return true
}
