package verifier

import (
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestFall(t *testing.T) {
	before := wire.TPMClock{Clock: 5000, ResetCount: 7, RestartCount: 2, Safe: true, FirmwareVersion: 10}
	for name, c := range map[string]struct {
		now  wire.TPMClock
		want string
	}{
		"one boot, later":               {wire.TPMClock{Clock: 5001, ResetCount: 7, RestartCount: 2, Safe: true, FirmwareVersion: 10}, ""},
		"one boot, same instant":        {wire.TPMClock{Clock: 5000, ResetCount: 7, RestartCount: 2, Safe: true, FirmwareVersion: 10}, ""},
		"one boot, earlier":             {wire.TPMClock{Clock: 4999, ResetCount: 7, RestartCount: 2, Safe: true, FirmwareVersion: 10}, reason.ClockFell},
		"one boot, earlier, not safe":   {wire.TPMClock{Clock: 4999, ResetCount: 7, RestartCount: 2, FirmwareVersion: 10}, reason.ClockFell},
		"next boot, flat battery":       {wire.TPMClock{Clock: 4000, ResetCount: 8, FirmwareVersion: 10}, ""},
		"next boot, earlier, yet safe":  {wire.TPMClock{Clock: 4000, ResetCount: 8, Safe: true, FirmwareVersion: 10}, reason.ClockFell},
		"next boot, later":              {wire.TPMClock{Clock: 6000, ResetCount: 8, Safe: true, FirmwareVersion: 10}, ""},
		"woken, not safe":               {wire.TPMClock{Clock: 4000, ResetCount: 7, RestartCount: 3, FirmwareVersion: 10}, ""},
		"woken, earlier, yet safe":      {wire.TPMClock{Clock: 4000, ResetCount: 7, RestartCount: 3, Safe: true, FirmwareVersion: 10}, reason.ClockFell},
		"fewer resets":                  {wire.TPMClock{Clock: 6000, ResetCount: 6, RestartCount: 9, Safe: true, FirmwareVersion: 10}, reason.ResetCountFell},
		"fewer restarts":                {wire.TPMClock{Clock: 6000, ResetCount: 7, RestartCount: 1, Safe: true, FirmwareVersion: 10}, reason.RestartCountFell},
		"fewer restarts in a next boot": {wire.TPMClock{Clock: 6000, ResetCount: 8, RestartCount: 0, Safe: true, FirmwareVersion: 10}, ""},
		"older firmware":                {wire.TPMClock{Clock: 6000, ResetCount: 8, Safe: true, FirmwareVersion: 9}, reason.FirmwareFell},
		"newer firmware":                {wire.TPMClock{Clock: 6000, ResetCount: 8, Safe: true, FirmwareVersion: 11}, ""},
	} {
		findings := fall(&before, c.now)
		got := ""
		if len(findings) > 0 {
			got = findings[0].Reason.Code
		}
		if got != c.want || len(findings) > 1 {
			t.Errorf("%s: %v, want %s", name, findings, c.want)
		}
	}
	if fall(nil, before) != nil {
		t.Error("a first clock has fallen")
	}
	if both := fall(&before, wire.TPMClock{ResetCount: 1, FirmwareVersion: 1}); len(both) != 2 {
		t.Errorf("%v", both)
	}
}

func TestParseOS(t *testing.T) {
	if o, err := ParseOS("debian 13"); err != nil || o != (OS{"debian", "13"}) || o.String() != "debian 13" {
		t.Error(o, err)
	}
	for _, bad := range []string{"", "debian", "debian ", " 13", "debian 13 1", "Debian 13", "debian\t13"} {
		if _, err := ParseOS(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
