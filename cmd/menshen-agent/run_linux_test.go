package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func claimState(r appraised, id wire.ClaimID) wire.ClaimState {
	for _, c := range r.Claims {
		if c.ID == id {
			return c.State
		}
	}
	return ""
}

func codes(s local.Status) []string {
	var all []string
	if s.Reason != nil {
		all = append(all, s.Reason.Code)
	}
	for _, p := range s.Problems {
		all = append(all, p.Code)
	}
	return all
}

// TestALaptopsDay is the whole way of one laptop, with real processes: TPM,
// helper, packet filter, agent, and the real verifier.
func TestALaptopsDay(t *testing.T) {
	l, a := enrolled(t)
	first := l.attested(10 * time.Second)
	t.Logf("first Evidence %v after the start", first.at.Sub(a.began))
	if first.Vector.InstanceIdentity != wire.Affirming || claimState(first, wire.ClaimFirewall) != wire.ClaimPass {
		t.Fatalf("%+v", first)
	}
	l.quiet(5 * time.Second) // nothing changes, so nothing is sent

	t.Run("the firewall goes off and on", func(t *testing.T) {
		began := time.Now()
		l.nft("flush ruleset")
		off := l.attested(5 * time.Second)
		if claimState(off, wire.ClaimFirewall) != wire.ClaimFail {
			t.Errorf("%+v", off.Claims)
		}
		t.Logf("appraised %v after nft began", off.at.Sub(began))
		l.nft(firewallOn)
		if on := l.attested(5 * time.Second); claimState(on, wire.ClaimFirewall) != wire.ClaimPass {
			t.Errorf("%+v", on.Claims)
		}
		// Changes that leave the claim as it is are no reason to attest.
		l.nft("add rule inet filter input tcp dport 22 accept")
		l.quiet(3 * time.Second)
	})

	t.Run("status and check", func(t *testing.T) {
		code, s := l.status()
		if code != 1 || s.Health != local.HealthFailing || !s.Enrolled || s.DeviceName != "LT-2231" || !s.Accepted {
			t.Errorf("%d %+v", code, s) // this machine's disk or boot does fail
		}
		if code, out := l.as(personUID, "status", "--lang", "en"); code != 1 || !strings.HasPrefix(out, "Device LT-2231 · ") {
			t.Errorf("the person at the laptop: %d %s", code, out)
		}
		if code, out := l.as(otherUID, "status"); code != 2 || !strings.Contains(out, reason.AgentNotRunning) {
			t.Errorf("another user: %d %s", code, out)
		}
		if code, out := l.as(personUID, "check", "--lang", "zh-TW"); code != 1 || !strings.HasPrefix(out, "裝置 LT-2231 · ") {
			t.Errorf("%d %s", code, out)
		}
		l.attested(time.Second) // check attested before it answered
	})

	t.Run("the PDP asks", func(t *testing.T) {
		l.pdp.commands <- wire.Command{ID: "cmd-1", Kind: wire.CommandMeasure}
		l.attested(5 * time.Second)
	})

	t.Run("a second agent", func(t *testing.T) {
		l.configure("")
		if code, out := l.as(agentUID, "enrol", l.pdp.code()); code != 73 || !strings.Contains(out, reason.StateHeld) {
			t.Errorf("enrolling beside it: %d %s", code, out)
		}
		if code, out := l.as(agentUID, "run"); code != 73 {
			t.Errorf("running beside it: %d %s", code, out)
		}
	})

	t.Run("the browser's confirmation", func(t *testing.T) {
		status, body := l.fetch(personUID, webOrigin)
		var got wire.LocalConfirmed
		if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil {
			t.Fatalf("%d %s", status, body)
		}
		sent := <-l.pdp.confirmed
		if sent.Seat != wire.SeatNone || base64.RawURLEncoding.EncodeToString(sent.ReturnCode) != got.ReturnCode {
			t.Errorf("%+v", sent)
		}
		if status, body := l.fetch(otherUID, webOrigin); status != 403 || !strings.Contains(body, reason.LocalOtherUser) {
			t.Errorf("another user's browser: %d %s", status, body)
		}
		if status, body := l.fetch(personUID, "https://evil.example"); status != 403 || !strings.Contains(body, reason.LocalWrongOrigin) {
			t.Errorf("another page: %d %s", status, body)
		}
	})

	t.Run("doctor", func(t *testing.T) {
		code, out := l.as(agentUID, "doctor", "--lang", "en")
		if code != 0 {
			t.Errorf("%d %s", code, out)
		}
		t.Log(out)
	})

	t.Run("budgets", func(t *testing.T) {
		rss, before := resident(t, a.Process.Pid)
		time.Sleep(6 * time.Second)
		_, after := resident(t, a.Process.Pid)
		helper, _ := resident(t, l.helper.Process.Pid)
		t.Logf("RSS %.1f MB, helper %.1f MB; CPU %.3f %% of a core when idle", float64(rss)/1e6, float64(helper)/1e6, float64(after-before)/float64(6*time.Second)*100)
		if rss > 25<<20 {
			t.Errorf("RSS is %d bytes, 25 MB are allowed", rss)
		}
		info, err := os.Stat(l.binary)
		if err != nil || info.Size() > 15<<20 {
			t.Errorf("the binary has %d bytes, %v", info.Size(), err)
		}
	})

	t.Run("the helper dies and comes back", func(t *testing.T) {
		l.stopHelper()
		gone := l.attested(10 * time.Second)
		if claimState(gone, wire.ClaimFirewall) != wire.ClaimError {
			t.Errorf("%+v", gone.Claims)
		}
		if _, s := l.status(); !slices.Contains(codes(s), reason.HelperNotAnswering) {
			t.Errorf("%v", codes(s))
		}
		l.startHelper()
		if back := l.attested(10 * time.Second); claimState(back, wire.ClaimFirewall) == wire.ClaimError {
			t.Errorf("%+v", back.Claims)
		}
	})

	t.Run("the TPM restarts", func(t *testing.T) {
		if err := l.tpm.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.openTPM()
		for len(l.pdp.results) > 0 {
			<-l.pdp.results
		}
		l.eventually(20*time.Second, func() error {
			_, _ = l.as(agentUID, "check")
			select {
			case <-l.pdp.results:
				return nil
			default:
				return fmt.Errorf("no Evidence since the TPM restarted")
			}
		})
	})

	t.Run("retired", func(t *testing.T) {
		l.pdp.set(func() { l.pdp.refuse = reason.DeviceRetired })
		if code, out := l.as(agentUID, "check", "--lang", "en"); code != 1 || !strings.Contains(out, reason.AgentDeviceUnknown) || !strings.Contains(out, reason.DeviceRetired) {
			t.Errorf("%d %s", code, out)
		}
		l.pdp.set(func() { l.pdp.refuse = "" })
		_, _ = l.as(agentUID, "check")
	})

	t.Run("the PDP is gone", func(t *testing.T) {
		l.pdp.CloseClientConnections()
		l.pdp.Close()
		code, out := l.as(agentUID, "check", "--lang", "en")
		if !strings.Contains(out, reason.PDPUnreachable) {
			t.Errorf("%d %s", code, out)
		}
		if status, body := l.fetch(personUID, webOrigin); status != 502 || !strings.Contains(body, reason.PDPUnreachable) {
			t.Errorf("%d %s", status, body)
		}
		if code, out := l.as(agentUID, "doctor", "--lang", "en"); code != 1 || !strings.Contains(out, reason.PDPUnreachable) {
			t.Errorf("%d %s", code, out)
		}
	})

	a.stop()
	if code, s := l.status(); code != 2 || !slices.Contains(codes(s), reason.AgentNotRunning) {
		t.Errorf("after the end: %d %+v", code, s)
	}
	if strings.Contains(l.log(), `"auth"`) {
		t.Error("the log holds a key's authorization value")
	}
}

// fetch asks the loopback listener as the sign-in page of a user's browser does.
func (l *laptop) fetch(uid int, origin string) (status int, body string) {
	l.t.Helper()
	const ask = `{"nonce":"sealed-nonce_0123456789"}`
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			l.t.Errorf("setresuid: %v", errno)
			return
		}
		address := fmt.Sprintf("127.0.0.1:%d", l.port)
		conn, err := net.Dial("tcp", address)
		if err != nil {
			l.t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		fmt.Fprintf(conn, "POST /v1/confirm HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: application/json\r\n"+
			"Menshen-Ceremony: 1\r\nSec-Fetch-Site: cross-site\r\nContent-Length: %d\r\n\r\n%s", address, origin, len(ask), ask)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			l.t.Error(err)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		raw, err := io.ReadAll(answer.Body)
		if err != nil {
			l.t.Error(err)
		}
		status, body = answer.StatusCode, string(raw)
	}()
	<-done
	return status, body
}
