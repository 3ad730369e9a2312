package proxies

import (
	"crypto/tls"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// proxy is a program under test.
type proxy struct {
	name string
	// start runs it for a site, until the test ends; it returns at once, and
	// fails the test if the program is not there.
	start func(t *testing.T, s site)
	// grpc says that it asks by gRPC.
	grpc bool
	// tidies says that it removes dot segments and doubled slashes before it
	// asks, and lets through what it asked about.
	tidies bool
	// rewrites says that it writes an address anew before it asks, so that it
	// is the same only when it is read.
	rewrites bool
	// pageless says that it has no page of its own for when nobody can be asked,
	// and may answer 502.
	pageless bool
	// hands101 says that it hands a 101 of the PDP's on to the client.
	hands101 bool
	// clients is how long clients wait, if the wait for the PDP cannot be set
	// (site.patience) and is longer than theirs.
	clients time.Duration
	// except are trials of what is not played where a proxy is.
	except []string
	// cuts says that it closes what outlives its request when the PDP wants it.
	cuts bool
}

// site is what a proxy stands between. Files are PEM.
type site struct {
	dir         string // the proxy's own, empty
	address     string // where it listens with TLS
	plain       string // where it listens without
	pdp         string // the proxies' port
	grpc        string // and that for Envoy, where the proxy asks there
	ca          string // file: the CA of the PDP's certificate, which is for "localhost"
	certificate string // file: the portal's certificate
	key         string // file: and its key
	bundle      string // file: both in one
	application string // the portal application
	secret      string // the portal's
	// patience is how long the proxy may wait for the PDP: shorter than what
	// ships, so that the trial of a slow one ends soon.
	patience time.Duration
}

// gate is a running proxy with all that it stands between.
type gate struct {
	*world
	*application
	proxy proxy
	site  site
	front *front
	issue func(name string) tls.Certificate // under the PDP's CA
}

func newGate(t *testing.T, p proxy) *gate {
	t.Helper()
	g := &gate{proxy: p, world: newWorld(t), application: &application{}}
	behind := httptest.NewServer(g.application)
	t.Cleanup(behind.Close)
	dir := t.TempDir()
	var ca []byte
	ca, g.issue = authority(t)
	g.front = newFront(t, g.server, g.issue("localhost"))
	g.site = site{dir: filepath.Join(dir, "proxy"), address: freePort(t), plain: freePort(t), pdp: g.front.address, ca: filepath.Join(dir, "pdp-ca.pem"),
		application: behind.Listener.Addr().String(), secret: secret, patience: 2 * time.Second}
	write(t, g.site.ca, ca)
	if p.grpc {
		g.site.grpc = newEnvoyFront(t, g.front, g.server, g.issue("localhost"))
	}
	g.site.certificate, g.site.key, g.site.bundle = keyPair(t, dir, g.issue(host))
	p.start(t, g.site)
	g.listening()
	return g
}

// listening waits until the proxy answers.
func (g *gate) listening() {
	g.t.Helper()
	for range 500 {
		c, err := tls.Dial("tcp", g.site.address, g.tls("http/1.1"))
		if err == nil {
			check(g.t, c.Close())
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatal("the proxy does not listen")
}

// reached returns what arrived at the application since the last call, after
// it has looked that the PDP was asked about each.
func (g *gate) reached() []arrival {
	g.t.Helper()
	list, questions := g.take(), g.front.take()
	for _, a := range list {
		if !answered(&questions, a) {
			g.t.Errorf("%s %.80q of %q reached the application and nobody had asked about it", a.method, a.uri, a.host)
		}
	}
	return list
}

// same reports whether an address is the one that a client sent: byte for byte,
// or as it is read where the proxy writes addresses anew.
func (g *gate) same(address, sent string) bool {
	if !g.proxy.rewrites {
		return address == sent
	}
	one, err := url.PathUnescape(address)
	other, err2 := url.PathUnescape(sent)
	return err == nil && err2 == nil && one == other
}

// answered takes the question about an arrival out of the list.
func answered(questions *[]question, a arrival) bool {
	for i, q := range *questions {
		if q.method == a.method && q.uri == a.uri && (q.upgrade != "" || a.header.Get("Upgrade") == "") {
			*questions = append((*questions)[:i:i], (*questions)[i+1:]...)
			return true
		}
	}
	return false
}

// trial is one thing that every proxy must do. One that is alone gets a gate
// that nothing else has used.
type trial struct {
	name  string
	alone bool
	do    func(*gate)
}

// pass runs every trial on a proxy.
func pass(t *testing.T, p proxy) {
	t.Helper()
	shared := newGate(t, p)
	for _, c := range trials {
		if slices.Contains(p.except, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			g := shared
			if c.alone {
				g = newGate(t, p)
			}
			before := g.t
			g.t = t
			g.decide(g.allow)
			g.take()
			g.front.take()
			c.do(g)
			g.t = before
		})
	}
	if p.cuts {
		t.Run("cuts what is not allowed any more", func(t *testing.T) { cuts(newGate(t, p)) })
	}
}

var trials = []trial{
	{name: "signs in and tells who it is", do: signsIn},
	{name: "returns to the very address", do: returnsToTheVeryAddress},
	{name: "asks about what arrives", do: asksAboutWhatArrives},
	{name: "keeps its connections to the PDP", do: keepsItsConnections},
	{name: "answers for its own host", do: answersForItsHost},
	{name: "steps up", do: stepsUp},
	{name: "denies", do: denies},
	{name: "grades the method", do: gradesTheMethod},
	{name: "replays nothing", do: replaysNothing},
	{name: "ends with the session", do: endsWithTheSession},
	{name: "takes tokens of the portal's own servers", do: takesTokens},
	{name: "lets no header in", do: letsNoHeaderIn},
	{name: "keeps cookies from the application", do: keepsCookies},
	{name: "believes no client about itself", do: believesNoClient},
	{name: "passes upgrades as writes", do: upgrades},
	{name: "speaks HTTP/2", do: speaksHTTP2},
	{name: "HTTP/2 opens no back door", do: noBackDoorHTTP2},
	{name: "splits no message", do: splitsNothing},
	{name: "smuggles nothing", do: smugglesNothing},
	{name: "passes to the PDP what is the PDP's", do: passesThePDPsOwn},
	{name: "signs out and checks", do: signsOutAndChecks},
	{name: "is closed with a wrong secret", alone: true, do: closedWithAWrongSecret},
	{name: "is closed without the PDP", alone: true, do: closedWithoutThePDP},
	{name: "is closed to an impostor", alone: true, do: closedToAnImpostor},
	{name: "is closed on nonsense", alone: true, do: closedOnNonsense},
	{name: "is closed on an endless header", alone: true, do: closedOnAnEndlessHeader},
	{name: "is closed while the PDP is silent", alone: true, do: closedWhileThePDPIsSilent},
}
