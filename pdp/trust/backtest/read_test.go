package backtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestObservationsAreRead(t *testing.T) {
	text := `{"kind":"sign-in","person":"b","device":"d","at":"2026-03-02T02:00:00Z","ip":"192.0.2.0","zone_minutes":480}

{"kind":"failed-sign-in","person":"a","device":"","at":"2026-03-02T01:00:00Z","ip":"","zone_minutes":0,"label":"naive"}
`
	events, err := ReadObservations(strings.NewReader(text), 1)
	if err != nil || len(events) != 2 || events[0].Person != "a" || events[0].Label != Naive || events[1].ZoneMins != 480 {
		t.Errorf("%v %+v", err, events)
	}
}

func TestObservationsAreReadStrictly(t *testing.T) {
	good := `{"kind":"sign-in","person":"b","device":"d","at":"2026-03-02T02:00:00Z","ip":"192.0.2.0","zone_minutes":480}` + "\n"
	for name, line := range map[string]string{
		"no JSON":         `person`,
		"unknown member":  `{"person":"a","at":"2026-03-02T02:00:00Z","name":"Ann"}`,
		"two values":      `{"person":"a","at":"2026-03-02T02:00:00Z"} {}`,
		"no person":       `{"at":"2026-03-02T02:00:00Z"}`,
		"no time":         `{"person":"a"}`,
		"unknown kind":    `{"person":"a","at":"2026-03-02T02:00:00Z","kind":"sign-out"}`,
		"a long label":    `{"person":"a","at":"2026-03-02T02:00:00Z","label":"` + strings.Repeat("x", maxLabelBytes+1) + `"}`,
		"a line too long": `{"person":"` + strings.Repeat("x", maxLineBytes) + `"}`,
	} {
		_, err := ReadObservations(strings.NewReader(good+line), 1)
		if !errors.Is(err, ErrRead) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Made up in the shape of the public data set.
const rbaHeader = "Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,City,ASN,User Agent String,Browser Name and Version,OS Name and Version,Device Type,Login Successful,Is Attack IP,Is Account Takeover\n"

const rbaRows = `2020-02-03 12:43:30.772,-17,,10.0.65.171,NO,-,-,29695,"Mozilla/5.0 (X; like, Y)",Firefox 20.0,iOS 13.4,mobile,False,False,False
2020-02-03 12:43:31,42,54,192.0.2.9,NO,Oslo,Oslo,29695,Agent,Chrome 1,Windows 10,desktop,True,False,False
2020-02-03 12:43:32.5,42,54,198.51.100.9,RO,-,-,9050,Agent,Chrome 1,Windows 10,desktop,True,True,True
2020-02-03 12:43:33.500,42,54,2001:db8::1,RO,-,-,9050,Agent,Chrome 1,Windows 10,desktop,True,True,False
`

func TestTheRBADataSetIsRead(t *testing.T) {
	for _, text := range []string{rbaHeader + rbaRows, "index," + rbaHeader + "0," + strings.ReplaceAll(strings.TrimSpace(rbaRows), "\n", "\n1,")} {
		events, err := ReadRBA(strings.NewReader(text), 1)
		if err != nil || len(events) != 4 {
			t.Fatalf("%v %+v", err, events)
		}
		for i, want := range []Event{
			{Label: Genuine, Observation: wire.Observation{Kind: wire.ObservedFailure, Person: "-17", IP: "10.0.65.0"}},
			{Label: Genuine, Observation: wire.Observation{Kind: wire.ObservedSignIn, Person: "42", IP: "192.0.2.0"}},
			{Label: Takeover, Observation: wire.Observation{Kind: wire.ObservedSignIn, Person: "42", IP: "198.51.100.0"}},
			{Label: AttackIP, Observation: wire.Observation{Kind: wire.ObservedSignIn, Person: "42", IP: "2001:db8::"}},
		} {
			got := events[i]
			if got.Label != want.Label || got.Kind != want.Kind || got.Person != want.Person || got.IP != want.IP {
				t.Errorf("row %d: %+v", i, got)
			}
		}
		if events[0].Device == events[1].Device || events[1].Device != events[2].Device {
			t.Error("devices are not told apart by browser and system")
		}
	}
}

func TestTheRBADataSetIsReadStrictly(t *testing.T) {
	row, _, _ := strings.Cut(rbaRows, "\n")
	for name, text := range map[string]string{
		"empty":              "",
		"another header":     strings.Replace(rbaHeader, "ASN", "AS", 1) + row,
		"columns exchanged":  strings.Replace(rbaHeader, "Is Attack IP,Is Account Takeover", "Is Account Takeover,Is Attack IP", 1) + row,
		"a column too many":  strings.Replace(rbaHeader, "\n", ",More\n", 1) + row + ",1",
		"a column too few":   rbaHeader + strings.TrimSuffix(row, ",False"),
		"another time":       rbaHeader + strings.Replace(row, "2020-02-03 12:43:30.772", "2020-02-03T12:43:30Z", 1),
		"another truth":      rbaHeader + strings.Replace(row, "False", "0", 1),
		"no address":         rbaHeader + strings.Replace(row, "10.0.65.171", "home", 1),
		"nobody":             rbaHeader + strings.Replace(row, "-17", "", 1),
		"a quote that opens": rbaHeader + `"` + row,
	} {
		if _, err := ReadRBA(strings.NewReader(text), 1); !errors.Is(err, ErrRead) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASampleTakesWholePeople(t *testing.T) {
	taken := 0
	for n := range 10_000 {
		person := strings.Repeat("x", n%7) + string(rune('a'+n%26)) + strings.Repeat("y", n%11) + string(rune('0'+n%10))
		if s := Sample(0.3); s.takes(person) {
			if again := Sample(0.4); !again.takes(person) {
				t.Fatal("a larger sample lacks somebody of the smaller")
			}
			taken++
		}
	}
	if taken < 2000 || taken > 4000 {
		t.Errorf("%d of 10,000 were taken", taken)
	}
	events, err := ReadRBA(strings.NewReader(rbaHeader+rbaRows), 1e-9)
	if err != nil || len(events) != 0 {
		t.Errorf("%v %v", err, events)
	}
}
