package appraisal

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// whole is a result with every field of a claim and a finding set.
func whole() wire.AttestationResult {
	long := strings.Repeat("長", 6000) // its length takes three bytes
	return wire.AttestationResult{
		DeviceID: laptop.ID, Vector: wire.TrustVector{InstanceIdentity: wire.Affirming, Configuration: wire.Warning},
		Clock: wire.TPMClock{Clock: 1, ResetCount: 2, RestartCount: 3, Safe: true, FirmwareVersion: 4}, IssuedAt: noon, ValidUntil: noon.Add(time.Minute),
		Claims: []wire.Claim{
			{ID: "a", State: "b", Source: "c", Problem: "d", TWGCB: "e", Baseline: "f", Value: map[string]string{"g": "h", "": long}, MeasuredAt: noon},
			{ID: "a", State: "b", MeasuredAt: noon.Add(time.Second)},
		},
		Findings: []wire.Finding{
			{Type: "a", Claim: "b", Reason: wire.Reason{Code: "c", Args: map[string]string{"d": "e", "f": ""}}, Expected: "g", Seen: long, Note: true},
			{Type: "a"},
		},
	}
}

func TestAPackedResultIsTheSame(t *testing.T) {
	for name, r := range map[string]wire.AttestationResult{
		"whole": whole(), "none": {}, "no claims": {DeviceID: laptop.ID, IssuedAt: noon},
		"one time": {DeviceID: laptop.ID, IssuedAt: noon, Claims: []wire.Claim{{ID: "a", MeasuredAt: noon}, {ID: "b", MeasuredAt: noon}}},
	} {
		c := pack(r)
		if got := c.result(laptop.ID); !reflect.DeepEqual(got, r) {
			t.Errorf("%s:\n%+v\nbecame\n%+v", name, r, got)
		}
	}
}

// Every text of a claim or finding makes another judgement, wherever it
// stands; the time of measuring alone makes none.
func TestWhatIsTheSameJudgement(t *testing.T) {
	was := pack(whole())
	for name, c := range map[string]struct {
		edit func(r *wire.AttestationResult)
		same bool
	}{
		"nothing": {func(*wire.AttestationResult) {}, true},
		"later": {func(r *wire.AttestationResult) {
			r.IssuedAt, r.Claims[0].MeasuredAt, r.Clock.Clock = noon.Add(1), noon.Add(2), 9
		}, true},
		"vector":          {func(r *wire.AttestationResult) { r.Vector.Hardware = wire.Affirming }, false},
		"claim":           {func(r *wire.AttestationResult) { r.Claims[0].ID = "x" }, false},
		"state":           {func(r *wire.AttestationResult) { r.Claims[0].State = "x" }, false},
		"source":          {func(r *wire.AttestationResult) { r.Claims[0].Source = "x" }, false},
		"problem":         {func(r *wire.AttestationResult) { r.Claims[0].Problem = "x" }, false},
		"rule":            {func(r *wire.AttestationResult) { r.Claims[0].TWGCB = "x" }, false},
		"baseline":        {func(r *wire.AttestationResult) { r.Claims[0].Baseline = "x" }, false},
		"value":           {func(r *wire.AttestationResult) { r.Claims[0].Value["g"] = "x" }, false},
		"name of a value": {func(r *wire.AttestationResult) { delete(r.Claims[0].Value, "g"); r.Claims[0].Value["x"] = "h" }, false},
		"fewer claims":    {func(r *wire.AttestationResult) { r.Claims = r.Claims[:1] }, false},
		"moved text":      {func(r *wire.AttestationResult) { r.Claims[0].Source, r.Claims[0].Problem = "cd", "" }, false},
		"type":            {func(r *wire.AttestationResult) { r.Findings[0].Type = "x" }, false},
		"of a claim":      {func(r *wire.AttestationResult) { r.Findings[0].Claim = "x" }, false},
		"code":            {func(r *wire.AttestationResult) { r.Findings[0].Reason.Code = "x" }, false},
		"argument":        {func(r *wire.AttestationResult) { r.Findings[0].Reason.Args["f"] = "x" }, false},
		"expected":        {func(r *wire.AttestationResult) { r.Findings[0].Expected = "x" }, false},
		"seen":            {func(r *wire.AttestationResult) { r.Findings[0].Seen = "x" }, false},
		"note":            {func(r *wire.AttestationResult) { r.Findings[0].Note = false }, false},
		"fewer findings":  {func(r *wire.AttestationResult) { r.Findings = r.Findings[:1] }, false},
	} {
		r := whole()
		c.edit(&r)
		if is := pack(r); was.same(is) != c.same {
			t.Errorf("%s: same = %v", name, !c.same)
		}
	}
	if never := pack(wire.AttestationResult{}); never.same(never) {
		t.Error("what was never appraised is the same as what was")
	}
}

// Fields that are added to claims and findings must be packed too.
func TestEveryFieldIsPacked(t *testing.T) {
	for _, v := range []any{whole(), whole().Claims[0], whole().Findings[0]} {
		for i := range reflect.TypeOf(v).NumField() {
			f := reflect.TypeOf(v).Field(i)
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("%T.%s is not in the test's result, so nothing shows that it is packed", v, f.Name)
			}
		}
	}
}

// What was unpacked before is not taken for what is known now.
func TestTheViewIsOfTheLastResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		held := f.Standing(laptop.ID)
		time.Sleep(time.Minute)
		f.next = func(in Input) wire.Appraised { return typical(in) }
		f.attest(t)
		now := f.Standing(laptop.ID)
		if len(held.Result.Claims) != 0 || len(now.Result.Claims) == 0 || !now.Result.IssuedAt.Equal(held.Result.IssuedAt.Add(time.Minute)) {
			t.Errorf("%+v", now.Result)
		}
		runtime.GC()
		if again := f.Standing(laptop.ID); !reflect.DeepEqual(again, now) {
			t.Errorf("unpacked anew: %+v", again)
		}
	})
}
