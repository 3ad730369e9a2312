package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func measured([wire.NonceSize]byte) (wire.Evidence, error) {
	return wire.Evidence{Claims: []byte("{}")}, nil
}

func TestAttestUsesOneConnectionAndTheDevicesKey(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	p.attestation()
	key := newKey(t)
	c, err := New(Config{Address: p.address(), CA: ca.certificate, Key: key, Clock: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		answer, err := c.Attest(t.Context(), measured)
		if err != nil || !answer.Accepted || answer.NextInSeconds != 300 {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(spki) != sha256.Sum256(p.peer) {
		t.Error("the PDP saw another key")
	}
	if skew, heard := c.Skew(); !heard || skew.Abs() > 5*time.Second {
		t.Errorf("skew %v %v", skew, heard)
	}
}

// TestAChangedConnectionBeginsAgain: the nonce is bound to its connection.
func TestAChangedConnectionBeginsAgain(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	p.attestation()
	c := newClient(t, p, ca.certificate)
	nonces := 0
	answer, err := c.Attest(t.Context(), func(n [wire.NonceSize]byte) (wire.Evidence, error) {
		if nonces++; nonces == 1 {
			p.CloseClientConnections()
		}
		return measured(n)
	})
	if err != nil || !answer.Accepted || nonces != 2 {
		t.Errorf("%+v, %v after %d nonces", answer, err, nonces)
	}
}

func TestAPDPThatNeverLikesTheNonceIsNotAskedForEver(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	asked := 0
	p.mux.HandleFunc("POST /v1/attest/nonce", func(w http.ResponseWriter, r *http.Request) {
		asked++
		problem.WriteJSON(w, r, wire.NonceAnswer{Nonce: make([]byte, wire.NonceSize), Ticket: "x"})
	})
	p.mux.HandleFunc("POST /v1/attest", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.NonceSpent))
	})
	_, err := newClient(t, p, ca.certificate).Attest(t.Context(), measured)
	if reasonOf(t, err) != reason.PDPRefused || asked != nonceTries {
		t.Errorf("%v after %d", err, asked)
	}
}

func TestOnlyThePinnedCAIsBelieved(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		server func() *pdp
		want   string
	}{
		"another CA": {func() *pdp { return newPDP(t, other.server(t, nil)) }, reason.PDPWrongCA},
		"another name": {func() *pdp {
			return newPDP(t, ca.server(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{{10, 0, 0, 1}} }))
		}, reason.PDPWrongCA},
		"client's EKU": {func() *pdp {
			return newPDP(t, ca.server(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
		}, reason.PDPWrongCA},
		"not yet valid": {func() *pdp {
			return newPDP(t, ca.server(t, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
			}))
		}, reason.AgentClockWrong},
		"not valid still": {func() *pdp {
			return newPDP(t, ca.server(t, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			}))
		}, reason.PDPCertificateOld},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.server()
			p.attestation()
			_, err := newClient(t, p, ca.certificate).Attest(t.Context(), measured)
			if got := reasonOf(t, err); got != c.want {
				t.Errorf("pinned certificate: %s (%v), want %s", got, err, c.want)
			}
			if _, err := Enrol(t.Context(), enrolment(t, p, ca.code())); reasonOf(t, err) != c.want {
				t.Errorf("pinned digest: %v, want %s", err, c.want)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	c := newClient(t, p, ca.certificate)
	p.Close()
	if _, err := c.Attest(t.Context(), measured); reasonOf(t, err) != reason.PDPUnreachable {
		t.Error(err)
	}
}

func TestRefusalsHaveTheirReasons(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range []struct {
		status      int
		given, want string
	}{
		{http.StatusForbidden, reason.DeviceUnknown, reason.AgentDeviceUnknown},
		{http.StatusForbidden, reason.DeviceWaiting, reason.AgentDeviceUnknown},
		{http.StatusForbidden, reason.DeviceRetired, reason.AgentDeviceUnknown},
		{http.StatusTooManyRequests, reason.TooMany, reason.PDPBusy},
		{http.StatusServiceUnavailable, reason.Unavailable, reason.PDPBusy},
		{http.StatusInternalServerError, reason.Internal, reason.PDPRefused},
	} {
		p := newPDP(t, ca.server(t, nil))
		p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, c.status, reason.New(c.given)) })
		_, err := newClient(t, p, ca.certificate).Attest(t.Context(), measured)
		var e *Error
		if !errors.As(err, &e) || e.why.Code != c.want || e.Given != c.given {
			t.Errorf("%s: %v", c.given, err)
		}
	}
}

func TestOddAnswersAreRefused(t *testing.T) {
	ca := newAuthority(t)
	good := mustJSON(wire.NonceAnswer{Nonce: make([]byte, wire.NonceSize), Ticket: "t"})
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"unknown member": func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "application/json", 200, `{"x":1,`+good[1:]) },
		"trailing data":  func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "application/json", 200, good+"{}") },
		"doubled member": func(w http.ResponseWriter, _ *http.Request) {
			writeRaw(w, "application/json", 200, `{"ticket":"a",`+good[1:])
		},
		"no JSON":      func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "application/json", 200, "hello") },
		"another type": func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "text/html", 200, good) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			writeRaw(w, "application/json", 200, strings.Repeat(" ", maxAnswer)+good)
		},
		"short nonce": func(w http.ResponseWriter, _ *http.Request) {
			writeRaw(w, "application/json", 200, `{"nonce":"AAAA","ticket":"t","expires_in_seconds":1}`)
		},
		"no ticket": func(w http.ResponseWriter, _ *http.Request) {
			writeRaw(w, "application/json", 200, strings.Replace(good, `"t"`, `""`, 1))
		},
		"redirect":         func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"problem, no JSON": func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "application/problem+json", 403, "x") },
		"created":          func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, "application/json", 201, good) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPDP(t, ca.server(t, nil))
			p.mux.HandleFunc("POST /v1/attest/nonce", answer)
			p.mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
			_, err := newClient(t, p, ca.certificate).Attest(t.Context(), func([wire.NonceSize]byte) (wire.Evidence, error) {
				t.Error("measured for an odd nonce")
				return wire.Evidence{}, nil
			})
			if reasonOf(t, err) != reason.PDPAnswerOdd {
				t.Error(err)
			}
		})
	}
}

func TestAProblemOfALaterVersionIsUnderstood(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	p.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeRaw(w, "application/problem+json", 403, `{"code":"ZT-DEV-222","more":{"x":1}}`)
	})
	if _, err := newClient(t, p, ca.certificate).Attest(t.Context(), measured); reasonOf(t, err) != reason.AgentDeviceUnknown {
		t.Error(err)
	}
}

func TestACodeThatIsNoCodeIsNotShown(t *testing.T) {
	e := refusal(403, problem.Document{Code: "<script>"})
	if strings.Contains(e.Error(), "script") {
		t.Error(e)
	}
}

var errTPM = errors.New("tpm: busy")

// TestTheTPMsErrorIsKept: crypto/tls would keep the text alone.
func TestTheTPMsErrorIsKept(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	p.attestation()
	c := newClient(t, p, ca.certificate)
	c.caller.signer.Signer = failingSigner{newKey(t)}
	if _, err := c.Attest(t.Context(), measured); !errors.Is(err, errTPM) {
		t.Errorf("%v", err)
	}
	if _, err := c.Attest(t.Context(), measured); !errors.Is(err, errTPM) {
		t.Errorf("the second time: %v", err)
	}
}

func TestMeasuringFails(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	p.attestation()
	_, err := newClient(t, p, ca.certificate).Attest(t.Context(), func([wire.NonceSize]byte) (wire.Evidence, error) {
		return wire.Evidence{}, errTPM
	})
	if !errors.Is(err, errTPM) {
		t.Error(err)
	}
}

func TestConfirm(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	accept := true
	p.mux.HandleFunc("POST /v1/confirm", func(w http.ResponseWriter, r *http.Request) {
		var in wire.DeviceConfirmation
		if !problem.ReadJSON(w, r, 1<<12, &in) {
			return
		}
		if in.Nonce != "n" || len(in.ReturnCode) != 32 || in.Seat != wire.SeatActive || in.Way != wire.BindingFetch {
			t.Errorf("%+v", in)
		}
		problem.WriteJSON(w, r, wire.DeviceConfirmed{Accepted: accept})
	})
	c := newClient(t, p, ca.certificate)
	confirmation := wire.DeviceConfirmation{Nonce: "n", ReturnCode: make([]byte, 32), Seat: wire.SeatActive, Way: wire.BindingFetch}
	if err := c.Confirm(t.Context(), confirmation); err != nil {
		t.Error(err)
	}
	accept = false
	if err := c.Confirm(t.Context(), confirmation); reasonOf(t, err) != reason.PDPAnswerOdd {
		t.Errorf("%v", err)
	}
}

func TestStandHandsOverCommandsOnceAndComesBack(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	polls := make(chan int, 100)
	n := 0
	p.mux.HandleFunc("GET /v1/poll", func(w http.ResponseWriter, r *http.Request) {
		n++
		polls <- n
		switch n {
		case 1, 2: // given twice, until the Evidence arrives
			problem.WriteJSON(w, r, wire.PollAnswer{Commands: []wire.Command{{ID: "cmd-1", Kind: wire.CommandMeasure}}})
		case 3:
			problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
		case 4:
			problem.WriteJSON(w, r, wire.PollAnswer{Commands: []wire.Command{{ID: "cmd-2", Kind: wire.CommandMeasure}}})
		default:
			<-r.Context().Done()
		}
	})
	c := newClient(t, p, ca.certificate)
	ctx, cancel := context.WithCancel(t.Context())
	commands, states, ended := make(chan string, 10), make(chan error, 100), make(chan struct{})
	go func() {
		defer close(ended)
		c.Stand(ctx, func(cmd wire.Command) { commands <- cmd.ID }, func(err error) { states <- err })
	}()
	if got := <-commands + <-commands; got != "cmd-1cmd-2" {
		t.Errorf("commands %q", got)
	}
	for <-polls != 5 {
	}
	c.Reconnect() // the sixth poll comes without a backoff
	for <-polls != 6 {
	}
	cancel()
	<-ended
	close(states)
	failed := 0
	for err := range states {
		if err != nil {
			failed++
			if reasonOf(t, err) != reason.PDPBusy {
				t.Error(err)
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d failures told", failed)
	}
	select {
	case again := <-commands:
		t.Errorf("handed over twice: %s", again)
	default:
	}
}

func TestJitterSpreads(t *testing.T) {
	for range 1000 {
		if d := jitter(time.Second); d < time.Second/2 || d >= time.Second {
			t.Fatal(d)
		}
	}
}
