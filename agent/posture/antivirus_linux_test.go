package posture

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// database is the header of a ClamAV database that was built then.
func database(built time.Time) string {
	fields := []string{"ClamAV-VDB", "x", "27465", "2067000", "90", "md5", "signature", "builder", strconv.FormatInt(built.Unix(), 10)}
	header := strings.Join(fields, ":")
	return header + strings.Repeat(" ", 512-len(header)) + "data"
}

func TestAntivirus(t *testing.T) {
	const daily = "var/lib/clamav/daily.cld"
	clam := func(states string) said { return said{}.shows(states, clamavUnits[:]...) }
	running := clam("loaded active,not-found inactive")
	fresh := func() recorded { return recorded{}.file(daily, database(recordedNow.Add(-24*time.Hour))) }
	other := func(r recorded, a Antivirus, s said) Machine {
		return r.with(func(m *Machine) { m.Commands, m.Settings.Antivirus = s, a })
	}
	edr := said{}.shows("loaded active", "edr.service")
	process := func(name, uid, state string) recorded {
		return recorded{}.file("proc/7/status", "Name:\t"+name+"\nState:\t"+state+" (x)\nUid:\t"+uid+"\t0\t0\t0\n").
			file("proc/self/status", "x").file("opt/edr/defs", "x").changed("opt/edr/defs", time.Hour)
	}
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"ClamAV":               {fresh().says(running), wire.ClaimPass, ""},
		"ClamAV on RHEL":       {fresh().says(clam("not-found inactive,loaded active")), wire.ClaimPass, ""},
		"not running":          {fresh().says(clam("loaded inactive,not-found inactive")), wire.ClaimFail, "not running"},
		"failed":               {fresh().says(clam("loaded failed,not-found inactive")), wire.ClaimFail, "not running"},
		"not loaded":           {fresh().says(clam("masked active,not-found inactive")), wire.ClaimFail, "not running"},
		"old signatures":       {recorded{}.file(daily, database(recordedNow.Add(-8*24*time.Hour))).says(running), wire.ClaimFail, "signatures"},
		"the newer one counts": {recorded{}.file(daily, database(recordedNow.Add(-8*24*time.Hour))).file("var/lib/clamav/daily.cvd", database(recordedNow)).says(running), wire.ClaimPass, ""},
		"no signatures":        {recorded{}.says(running), wire.ClaimFail, "no signatures"},
		"tomorrow's":           {recorded{}.file(daily, database(recordedNow.Add(48*time.Hour))).says(running), wire.ClaimError, "not yet"},
		"odd header":           {recorded{}.file(daily, "PK").says(running), wire.ClaimError, "header"},
		"odd time":             {recorded{}.file(daily, strings.Replace(database(recordedNow), ":1800000000", ":xx", 1)).says(running), wire.ClaimError, "odd time"},
		"no systemd":           {fresh().says(said{}), wire.ClaimError, "systemd"},
		"half an answer": {fresh().says(said{"/usr/bin/systemctl show --property=LoadState,ActiveState,UnitFileState -- " + strings.Join(clamavUnits[:], " "): "LoadState=loaded\nActiveState=active\n"}),
			wire.ClaimError, "1 of 2"},
		"EDR by unit":         {other(process("x", "0", "S"), Antivirus{Unit: "edr.service", Signatures: "/opt/edr/defs"}, edr), wire.ClaimPass, ""},
		"EDR stopped":         {other(process("x", "0", "S"), Antivirus{Unit: "edr.service", Signatures: "/opt/edr/defs"}, said{}.shows("loaded inactive", "edr.service")), wire.ClaimFail, "edr.service"},
		"EDR, old signatures": {other(process("x", "0", "S").changed("opt/edr/defs", 4*time.Hour), Antivirus{Unit: "edr.service", Signatures: "/opt/edr/defs", MaxAge: 3 * time.Hour}, edr), wire.ClaimFail, "signatures"},
		"EDR, none named":     {other(recorded{}, Antivirus{Unit: "edr.service"}, edr), wire.ClaimError, "names no file"},
		"EDR by process":      {other(process("edrd", "0", "S"), Antivirus{Process: "edrd", Signatures: "/opt/edr/defs"}, nil), wire.ClaimPass, ""},
		"a person's process":  {other(process("edrd", "1000", "S"), Antivirus{Process: "edrd", Signatures: "/opt/edr/defs"}, nil), wire.ClaimFail, "edrd"},
		"a dead process":      {other(process("edrd", "0", "Z"), Antivirus{Process: "edrd", Signatures: "/opt/edr/defs"}, nil), wire.ClaimFail, "edrd"},
		"another process":     {other(process("edrdx", "0", "S"), Antivirus{Process: "edrd", Signatures: "/opt/edr/defs"}, nil), wire.ClaimFail, "edrd"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, antivirus(t.Context(), c.machine), c.state, c.problem) })
	}
}
