package evidence

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

func claims() wire.Claims {
	at := time.Date(2026, 11, 22, 12, 0, 0, 5, time.UTC)
	return wire.Claims{Claims: []wire.Claim{
		{ID: wire.ClaimSecureBoot, State: wire.ClaimError, MeasuredAt: at, Source: "efivarfs", Problem: "no <efi> & \x00"},
		{ID: wire.ClaimFirewall, State: wire.ClaimPass, MeasuredAt: at, Source: "nftables", Value: map[string]string{"b": "2", "a": "1"}},
		{ID: wire.ClaimOSRelease, State: wire.ClaimFail, MeasuredAt: at, Source: "os-release", TWGCB: "TWGCB-01-014-0001", Baseline: "1.0"},
	}}
}

func TestSameClaimsGiveTheSameBytes(t *testing.T) {
	first, err := Marshal(claims())
	if err != nil {
		t.Fatal(err)
	}
	turned := claims()
	turned.Claims[0], turned.Claims[2] = turned.Claims[2], turned.Claims[0]
	given := turned.Claims[0].ID
	second, err := Marshal(turned)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%s\n%s\n%v", first, second, err)
	}
	if turned.Claims[0].ID != given {
		t.Error("the caller's claims were put in order")
	}
	var read wire.Claims
	if err := strictjson.Unmarshal(first, &read); err != nil {
		t.Fatal(err)
	}
	unordered := claims().Claims
	want := wire.Claims{Claims: []wire.Claim{unordered[1], unordered[2], unordered[0]}} // by id
	if !reflect.DeepEqual(read, want) {
		t.Errorf("%+v", read)
	}
}

func TestWhatThePDPRefusesIsNotQuoted(t *testing.T) {
	for name, change := range map[string]func(c *wire.Claims){
		"twice":            func(c *wire.Claims) { c.Claims = append(c.Claims, c.Claims[0]) },
		"no id":            func(c *wire.Claims) { c.Claims[0].ID = "" },
		"no state":         func(c *wire.Claims) { c.Claims[0].State = "" },
		"invented state":   func(c *wire.Claims) { c.Claims[0].State = "passed" },
		"pass, yet not":    func(c *wire.Claims) { c.Claims[0].State = wire.ClaimPass },
		"too large":        func(c *wire.Claims) { c.Claims[0].Problem = strings.Repeat("x", wire.MaxClaimsBytes) },
		"no sensible time": func(c *wire.Claims) { c.Claims[0].MeasuredAt = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		c := claims()
		change(&c)
		if _, err := Marshal(c); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAssemble(t *testing.T) {
	quote := wire.Quote{Attest: []byte("a"), Signature: []byte("s")}
	pcrs := []wire.PCRValue{{Index: 0, Digest: []byte("d")}}
	e := Assemble([]byte("{}"), quote, pcrs, []byte("log"))
	if !reflect.DeepEqual(e, wire.Evidence{Claims: []byte("{}"), Quote: quote, PCRs: pcrs, EventLog: []byte("log")}) {
		t.Errorf("%+v", e)
	}
	if e := Assemble(nil, quote, pcrs, make([]byte, wire.MaxEventLogBytes+1)); e.EventLog != nil {
		t.Error("an event log past its bound was sent")
	}
}

func TestSame(t *testing.T) {
	later := claims()
	for i := range later.Claims {
		later.Claims[i].MeasuredAt = later.Claims[i].MeasuredAt.Add(time.Hour)
	}
	later.Claims[0], later.Claims[1] = later.Claims[1], later.Claims[0]
	if !Same(claims(), later) {
		t.Error("the same, measured later")
	}
	for name, change := range map[string]func(c *wire.Claims){
		"a state":      func(c *wire.Claims) { c.Claims[0].State = wire.ClaimManual },
		"one less":     func(c *wire.Claims) { c.Claims = c.Claims[1:] },
		"a value":      func(c *wire.Claims) { c.Claims[0].Value = map[string]string{"a": "b"} },
		"a source":     func(c *wire.Claims) { c.Claims[0].Source = "elsewhere" },
		"a baseline":   func(c *wire.Claims) { c.Baselines = []wire.BaselineReport{{Baseline: "TWGCB-01-014"}} },
		"an inventory": func(c *wire.Claims) { c.Inventory = []byte{1} },
	} {
		other := claims()
		change(&other)
		if Same(claims(), other) {
			t.Errorf("%s changed, and all is the same", name)
		}
	}
}

// Everything that a document says is in its bytes.
func TestMarshalKeepsAll(t *testing.T) {
	c := claims()
	c.Baselines, c.Inventory = []wire.BaselineReport{{Baseline: "TWGCB-01-014", Version: "1.2"}}, []byte{1, 2}
	raw, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var read wire.Claims
	if err := strictjson.Unmarshal(raw, &read); err != nil || len(read.Baselines) != 1 || len(read.Inventory) != 2 {
		t.Errorf("%s, %v", raw, err)
	}
}
