//go:build linux

package host

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// rehearsed gives a program two sign-ins of one person to judge and learn.
func rehearsed(t *testing.T, name string) []wire.Verdict {
	t.Helper()
	r, err := OpenRehearsal(t.Context(), program(t, name).Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if r.Name() != name || r.Cluster() != wire.ClusterNetwork {
		t.Errorf("%s of %s", r.Name(), r.Cluster())
	}
	past, at := []wire.Observation{seen("192.0.2.7"), seen("192.0.2.7")}, 0
	past[1].At = past[0].At.Add(time.Hour)
	var all []wire.Verdict
	err = r.Rehearse(t.Context(), func() (wire.Observation, bool) {
		if at == len(past) {
			return wire.Observation{}, false
		}
		at++
		past[at-1].Kind = wire.ObservedSignIn
		return past[at-1], true
	}, func(v wire.Verdict) error { all = append(all, v); return nil })
	if err != nil || len(all) != len(past) {
		t.Fatalf("%d verdicts, %v", len(all), err)
	}
	return all
}

func TestARehearsalJudgesBeforeItTeaches(t *testing.T) {
	all := rehearsed(t, "networknovelty")
	if !all[0].Abstained || all[1].Abstained || all[1].LLR <= 0 || all[1].Plugin != "networknovelty" {
		t.Errorf("%+v", all)
	}
}

func TestALieAtARehearsalIsNoAnswer(t *testing.T) {
	for _, name := range []string{"odd-nan", "odd-inf", "odd-huge", "odd-forever"} {
		for _, v := range rehearsed(t, name) {
			if !v.Missing || v.LLR != 0 || v.Reasons[0].Code != reason.PluginNonsense {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}

func TestOnlyAPluginIsRehearsed(t *testing.T) {
	other, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"another program": other, "no program": "/nonexistent", "odd texts": program(t, "odd-textcode").Path} {
		if r, err := OpenRehearsal(t.Context(), path, nil); err == nil {
			r.Close()
			t.Errorf("%s was rehearsed", name)
		}
	}
}

func TestARehearsalTakesTheProgramsSettings(t *testing.T) {
	path := program(t, "networknovelty").Path
	if r, err := OpenRehearsal(t.Context(), path, json.RawMessage(`{"data_base":"x"}`)); err == nil {
		r.Close()
		t.Error("a setting that the plugin does not have was taken")
	} else if !strings.Contains(err.Error(), "networknovelty") {
		t.Errorf("the error names no plugin: %v", err)
	}
}
