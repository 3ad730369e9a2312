package pdp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/store"
)

// flooded is a PDP that runs with all its ports, and a session at a portal that
// is let in: only its laptop's standing is given.
type flooded struct {
	*watchedPDP
	cookie string
	// apart comes before a load's command: where it runs.
	apart map[string][]string
}

func startFlooded(t testing.TB, configure func(*Config)) *flooded {
	t.Helper()
	f := new(flooded)
	f.watchedPDP = startPDP(t, configure, func(p *PDP) {
		var err error
		if p.engine.facts, err = facts.New(facts.Config{
			Directory: p.names, NotFound: func(err error) bool { return errors.Is(err, store.ErrNotFound) }, Standing: healthy, Clock: time.Now,
			Trust: p.situation.Trust,
		}); err != nil {
			t.Fatal(err)
		}
	})
	f.until("readiness", func() bool { ok, _ := f.ready(); return ok })
	person, err := f.names.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王小明", Account: "wang.xm"})
	must(t, err)
	key, err := f.names.AddKey(t.Context(), wire.SecurityKey{PersonID: person.ID, CredentialID: make([]byte, 32), PublicKey: []byte{1}, AAGUID: make([]byte, 16), Nickname: "a", Model: "b", Hardware: true})
	must(t, err)
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	must(t, err)
	spki, ek := sha256.Sum256([]byte("tls")), sha256.Sum256([]byte("ek"))
	must(t, f.names.AddDevice(t.Context(), wire.Device{ID: id, Agency: "moda", Name: "LT-1", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		EKDigest: ek[:], AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: spki[:], EnrolledAt: time.Now().UTC()}, "", nil, nil))
	f.cookie, err = f.sessions.Create(t.Context(), f.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: person.ID, KeyID: key.ID, At: time.Now(), AAL: 3, UserVerified: true},
		Binding: wire.DeviceBinding{DeviceID: id, At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true}, Portal: f.portal.ID,
	}, netip.MustParseAddr("192.0.2.10"), [32]byte{})
	must(t, err)
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func healthy(id string) wire.DeviceStanding {
	affirming := wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming}
	d := wire.DeviceStanding{DeviceID: id, Standing: wire.StandingFresh, ChangesAt: time.Now().Add(time.Minute),
		Result: wire.AttestationResult{DeviceID: id, IssuedAt: time.Now(), ValidUntil: time.Now().Add(time.Hour), Vector: affirming}}
	for _, c := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimFirewall, wire.ClaimDiskEncryption, wire.ClaimSecureBoot} {
		d.Result.Claims = append(d.Result.Claims, wire.Claim{ID: c, State: wire.ClaimPass, Source: "test", MeasuredAt: time.Now()})
	}
	return d
}

// runs starts a part of the load in a process of its own, so that what it costs
// and how it is scheduled is not the PDP's; the returned function ends it and
// tells what it saw. The lab's own noise is left: all share this machine.
func (f *flooded) runs(role string, d time.Duration, handle string) func() seen {
	f.t.Helper()
	order, err := json.Marshal(loadOf{Role: role, For: d, Web: f.config.Web.Listen, Proxies: f.config.Proxies.Listen, Origin: f.config.Web.Origin,
		Secret: f.secret, Cookie: f.cookie, Handle: handle})
	must(f.t, err)
	command := append(slices.Clone(f.apart[role]), fmt.Sprintf("/proc/%d/exe", os.Getpid()), "-test.run=^TestAsLoad$")
	cmd := exec.CommandContext(f.t.Context(), command[0], command[1:]...) // #nosec G204 -- this very test
	cmd.Env = append(os.Environ(), loadOrder+"="+string(order))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(f.t, err)
	must(f.t, cmd.Start())
	return func() seen {
		var what seen
		decoded := json.NewDecoder(out).Decode(&what)
		must(f.t, errors.Join(decoded, cmd.Wait()))
		return what
	}
}

// work has known sessions ask for a while; every one must be let in.
func (f *flooded) work(d time.Duration) seen {
	f.t.Helper()
	what := f.runs("known", d, "")()
	if what.Granted == 0 || what.Odd != 0 {
		f.t.Errorf("known sessions: %d answers let them in, %d did not: %s", what.Granted, what.Odd, what.Example)
	}
	return what
}

// handle begins a sign-in at the portal and returns what the browser carries.
func (f *flooded) handle() string {
	f.t.Helper()
	l := loadOf{Proxies: f.config.Proxies.Listen, Secret: f.secret}
	_, header, err := l.asks(f.t.Context(), peer(1), "/.menshen/start?rd=/")
	must(f.t, err)
	to, err := url.Parse(header.Get("Location"))
	must(f.t, err)
	return to.Query().Get("h")
}

// signsIn takes the first step of a sign-in, as one person does.
func (f *flooded) signsIn() {
	f.t.Helper()
	l := loadOf{Web: f.config.Web.Listen, Origin: f.config.Web.Origin, Handle: f.handle()}
	if status, _, err := l.signIn(f.t.Context(), peer(1)); err != nil || status != http.StatusOK {
		f.t.Error("one person cannot sign in:", status, err)
	}
}

// TestKnownSessionsAreAnsweredWhileSignInsFlood: a sign-in goes on or is told to
// come again, by 503 and Retry-After, and nothing else; who is signed in goes on;
// afterwards all is as before.
func TestKnownSessionsAreAnsweredWhileSignInsFlood(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	calm := f.work(time.Second)
	goroutines := runtime.NumGoroutine()
	flood := f.runs("sign-ins", 4*time.Second, f.handle())
	time.Sleep(500 * time.Millisecond)
	busy := f.work(3 * time.Second)
	told := flood()
	t.Logf("known sessions: p50 %v, p99 %v; in the flood p50 %v, p99 %v, of %d; sign-ins: %d went on, %d told to come again",
		calm.P50, calm.P99, busy.P50, busy.P99, busy.Granted, told.Granted, told.Shed)
	// How many of each is the machine's; the next test sheds for certain.
	if told.Granted+told.Shed == 0 || told.Odd != 0 {
		t.Errorf("sign-ins: %d went on, %d were shed, %d were answered otherwise: %s", told.Granted, told.Shed, told.Odd, told.Example)
	}
	f.signsIn()
	f.until("an end of the flood's work", func() bool { return runtime.NumGoroutine() < goroutines+50 })
}

// TestSignInsAreShedWhileTheWebPortIsFull takes every turn of the port's lane:
// a sign-in is told to come again, a known session is let in as before.
func TestSignInsAreShedWhileTheWebPortIsFull(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	l := loadOf{Web: f.config.Web.Listen, Origin: f.config.Web.Origin, Handle: f.handle()}
	client := peer(1)
	if status, _, err := l.signIn(t.Context(), client); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	var all []net.Conn
	for range runtime.GOMAXPROCS(0) {
		near, far := net.Pipe()
		conn := f.lanes["web"].Over(far)
		go func() { _, _ = near.Write([]byte("x")) }()
		_, err := conn.Read(make([]byte, 1))
		must(t, err)
		all = append(all, conn)
	}
	if status, header, err := l.signIn(t.Context(), client); err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Error("not shed:", status, header, err)
	}
	f.work(200 * time.Millisecond)
	for _, conn := range all {
		must(t, conn.Close())
	}
	f.signsIn()
}

// TestSlowSendersAndIdleCrowds: connections that bring no request hold no place
// against one that does, and none against the proxies' port.
func TestSlowSendersAndIdleCrowds(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	limits, err := connectionLimits()
	must(t, err)
	for range limits.of("web") + 200 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", f.config.Web.Listen)
		must(t, err)
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte{0x16, 0x03, 0x01, 0x02}) // a handshake that never goes on
	}
	f.work(300 * time.Millisecond)
	f.signsIn()
}

func TestHugeHeadersAreRefused(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	huge := strings.Repeat("a", 1<<20)
	for _, at := range []string{f.config.Web.Listen, f.config.Proxies.Listen} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+at+"/forward-auth", nil)
		must(t, err)
		r.Header.Set("Cookie", huge)
		r.Header.Set("Menshen-Portal-Secret", f.secret)
		answer, err := peer(1).Do(r)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: %s", at, answer.Status)
			}
		}
	}
	f.work(200 * time.Millisecond)
}

// TestRapidReset opens streams and resets them as fast as it can (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	calm, before := f.work(time.Second), runtime.NumGoroutine()
	flood := f.runs("resets", 3*time.Second, "")
	busy := f.runs("known", 3*time.Second, "")
	most := 0
	for ends := time.Now().Add(2 * time.Second); time.Now().Before(ends); time.Sleep(time.Millisecond) {
		most = max(most, runtime.NumGoroutine())
	}
	if what := busy(); what.Granted == 0 || what.Odd != 0 {
		t.Errorf("known sessions: %+v", what)
	} else {
		t.Logf("known sessions: p99 %v; while streams are reset %v; at most %d goroutines, %d before", calm.P99, what.P99, most, before)
	}
	flood()
	if most > before+resetters*2*maxStreams {
		t.Errorf("%d goroutines", most)
	}
	f.signsIn()
}
