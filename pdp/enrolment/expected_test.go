package enrolment_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/store"
)

// ek is the digest of a machine's EK as a list writes it.
func (m *machine) ek(t *testing.T) string {
	t.Helper()
	digest := sha256.Sum256(m.unendorsed(t, "").EKKey)
	return fmt.Sprintf("%X", digest) // upper or lower case
}

func (f *fixture) expect(t *testing.T, agency, csv string) wire.ExpectedList {
	t.Helper()
	list, _, err := f.ImportExpected(t.Context(), agency, "delivery", "uid:0", []byte(csv))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// comes enrols a machine without a code.
func (f *fixture) comes(t *testing.T, m *machine, in wire.EnrolStart) (wire.Enrolled, error) {
	t.Helper()
	c, err := f.Start(t.Context(), in, m.spki, "192.0.2.7")
	if err != nil {
		return wire.Enrolled{}, err
	}
	return f.Finish(t.Context(), m.finish(t, c), m.spki)
}

func (f *fixture) device(t *testing.T, id string) wire.Device {
	t.Helper()
	dev, err := f.directory.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestAnExpectedDeviceNeedsNoCode(t *testing.T) {
	f := open(t)
	wang, err := f.directory.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王", Account: "wang.xm"})
	if err != nil {
		t.Fatal(err)
	}
	list := f.expect(t, "moda", "ek_sha256,agency,device_name,owner,group\r\n"+laptop.ek(t)+",moda,LT-2231,wang.xm,pilot\r\n"+second.ek(t)+",moda,LT-2232,,\r\n")
	refusedWith(t, f.startError(t, stranger.again(t), ""), reason.EnrolEKRefused)
	out, err := f.comes(t, laptop, laptop.start(""))
	if err != nil || out.DeviceName != "LT-2231" || out.Agency != "moda" || out.Provenance != wire.ProvenanceTPM {
		t.Fatalf("%+v %v", out, err)
	}
	if dev := f.device(t, out.DeviceID); dev.Status != wire.DeviceActive || dev.Owner != wang.ID || dev.Group != "pilot" {
		t.Errorf("%+v", dev)
	}
	rows, err := f.ExpectedDevices(t.Context(), "moda", list.ID)
	if err != nil || len(rows) != 2 || rows[0].Device != out.DeviceID || !rows[0].ArrivedAt.Equal(f.now) || rows[1].Device != "" ||
		!strings.EqualFold(rows[0].EK, laptop.ek(t)) || rows[0].Owner != wang.ID {
		t.Errorf("%+v %v", rows, err)
	}
	lists, err := f.ExpectedLists(t.Context(), "moda")
	if err != nil || len(lists) != 1 || lists[0].Devices != 2 || lists[0].Arrived != 1 || lists[0].Name != "delivery" || lists[0].ImportedBy != "uid:0" {
		t.Errorf("%+v %v", lists, err)
	}
	if all, err := f.ExpectedLists(t.Context(), "nstc"); err != nil || len(all) != 0 {
		t.Errorf("another agency sees %+v %v", all, err)
	}
}

// A row lets one device in, once; what the list knows never comes back by it.
func TestARowWorksOnce(t *testing.T) {
	f := open(t)
	f.expect(t, "moda", "ek_sha256,device_name\n"+laptop.ek(t)+",LT-2231\n"+second.ek(t)+",LT-2232\n")
	late := laptop.again(t)
	begun, err := f.Start(t.Context(), late.start(""), late.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Start(t.Context(), laptop.start(""), laptop.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	finish := laptop.finish(t, c)
	out, err := f.Finish(t.Context(), finish, laptop.spki)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.Finish(t.Context(), finish, laptop.spki); err != nil || again != out {
		t.Errorf("the answer was lost, asked again: %+v %v", again, err)
	}
	_, err = f.Finish(t.Context(), late.finish(t, begun), late.spki)
	refusedWith(t, err, reason.EnrolArrivedAlready)
	refusedWith(t, f.startError(t, laptop.again(t), ""), reason.EnrolArrivedAlready)
	if _, err := f.directory.RetireDevice(t.Context(), out.DeviceID); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, f.startError(t, laptop.again(t), ""), reason.EnrolArrivedAlready)

	// With a code it comes back, as any machine does.
	f.enrol(t, laptop.again(t), "moda", "LT-2231")

	// One that was here before the list, and was retired, needs a code too.
	old := f.enrol(t, second, "moda", "OLD-1")
	if _, err := f.directory.RetireDevice(t.Context(), old.DeviceID); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, f.startError(t, second.again(t), ""), reason.EnrolArrivedAlready)
}

// Of two that come at once, one gets in.
func TestARowWorksOnceAlsoInARace(t *testing.T) {
	f := open(t)
	f.expect(t, "moda", "ek_sha256,device_name\n"+laptop.ek(t)+",LT-2231\n")
	again := laptop.again(t)
	mine, err := f.Start(t.Context(), laptop.start(""), laptop.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	other, err := f.Start(t.Context(), again.start(""), again.spki, "192.0.2.8")
	if err != nil {
		t.Fatal(err)
	}
	first, late := laptop.finish(t, mine), again.finish(t, other)
	race := &between{Devices: f.directory}
	config := f.config
	config.Devices = race
	f.use(t, config)
	race.meanwhile = func() {
		if _, err := f.Finish(t.Context(), first, laptop.spki); err != nil {
			t.Error(err)
		}
	}
	// The first look at the directory lies behind the row's reading.
	if _, err := f.Finish(t.Context(), late, again.spki); err == nil {
		t.Error("one row let two devices in")
	}
}

// A key that nobody vouches for: the list does, and the provenance stays.
func TestAnExpectedTPMWithoutCertificateIsApproved(t *testing.T) {
	f := open(t)
	f.expect(t, "moda", "ek_sha256,device_name\n"+stranger.ek(t)+",LT-5\n")
	out, err := f.comes(t, stranger, stranger.unendorsed(t, ""))
	if err != nil || out.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Fatalf("%+v %v", out, err)
	}
	if dev := f.device(t, out.DeviceID); dev.Status != wire.DeviceActive || dev.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Errorf("%+v", dev)
	}
	again := stranger.again(t)
	c, err := f.Start(t.Context(), again.unendorsed(t, f.code(t, "moda", "LT-5")), again.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if out, err = f.Finish(t.Context(), again.finish(t, c), again.spki); err != nil || f.device(t, out.DeviceID).Status != wire.DeviceActive {
		t.Errorf("enrolled again with a code: %+v %v", out, err)
	}
}

// A list speaks for a machine under the name and in the agency that it says.
func TestAListSpeaksForItsOwnNamesOnly(t *testing.T) {
	f := open(t)
	f.expect(t, "moda", "ek_sha256,device_name\n"+stranger.ek(t)+",LT-5\n")
	for agency, name := range map[string]string{"moda": "LT-6", "nstc": "LT-5"} {
		m := stranger.again(t)
		c, err := f.Start(t.Context(), m.unendorsed(t, f.code(t, agency, name)), m.spki, "192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Finish(t.Context(), m.finish(t, c), m.spki)
		if err != nil || f.device(t, out.DeviceID).Status != wire.DevicePending {
			t.Errorf("%s in %s: %+v %v", name, agency, out, err)
		}
		if _, err := f.directory.RetireDevice(t.Context(), out.DeviceID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnImportApprovesWhoWaits(t *testing.T) {
	f := open(t)
	c, err := f.Start(t.Context(), stranger.unendorsed(t, f.code(t, "moda", "LT-5")), stranger.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Finish(t.Context(), stranger.finish(t, c), stranger.spki)
	if err != nil {
		t.Fatal(err)
	}
	other := f.expect(t, "moda", "ek_sha256,device_name\n"+stranger.ek(t)+",LT-6\n")
	if f.device(t, out.DeviceID).Status != wire.DevicePending {
		t.Error("approved under another name")
	}
	if err := f.RemoveExpected(t.Context(), "moda", other.ID); err != nil {
		t.Fatal(err)
	}
	list, approved, err := f.ImportExpected(t.Context(), "moda", "delivery", "uid:7", []byte("ek_sha256,device_name\n"+stranger.ek(t)+",lt-5\n"))
	if err != nil || approved != 1 || list.Arrived != 1 {
		t.Fatalf("%+v %d %v", list, approved, err)
	}
	if dev := f.device(t, out.DeviceID); dev.Status != wire.DeviceActive || dev.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Errorf("%+v", dev)
	}
	if r := f.audit.last(t); r.Step != "approved" || r.DeviceName != "LT-5" {
		t.Errorf("recorded %+v", r)
	}
}

// Whoever knows an EK's public key is a stranger until the TPM answers.
func TestStrangersToAListAreCountedAndNotRecorded(t *testing.T) {
	f := open(t)
	f.expect(t, "moda", "ek_sha256,device_name\n"+laptop.ek(t)+",LT-2231\n")
	records, kept, strangers := len(f.audit.records), f.contents(t), f.Strangers()
	refusedWith(t, f.startError(t, second, ""), reason.EnrolNotExpected)
	c, err := f.Start(t.Context(), laptop.start(""), laptop.spki, "198.51.100.1")
	if err != nil {
		t.Fatal(err)
	}
	guess := laptop.certified(t, c, make([]byte, 32))
	for range 30 { // more than anybody's attempts
		if _, err := f.Finish(t.Context(), guess, laptop.spki); err == nil {
			t.Fatal("a guess was taken")
		}
	}
	_, err = f.Finish(t.Context(), guess, laptop.spki)
	refusedWith(t, err, reason.TooMany)
	if len(f.audit.records) != records || !bytes.Equal(f.contents(t), kept) {
		t.Error("a stranger wrote something")
	}
	if f.Strangers() < strangers+20 {
		t.Errorf("%d strangers", f.Strangers())
	}
	if _, err := f.comes(t, laptop, laptop.start("")); err != nil {
		t.Errorf("a stranger used up the machine's own attempts: %v", err)
	}
}

func TestARemovedListLetsNobodyIn(t *testing.T) {
	f := open(t)
	list := f.expect(t, "moda", "ek_sha256,device_name\n"+laptop.ek(t)+",LT-2231\n")
	c, err := f.Start(t.Context(), laptop.start(""), laptop.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	finish := laptop.finish(t, c)
	for _, agency := range []string{"nstc", "moda"} {
		if err := f.RemoveExpected(t.Context(), agency, list.ID); (err == nil) != (agency == "moda") {
			t.Errorf("%s: %v", agency, err)
		}
	}
	_, err = f.Finish(t.Context(), finish, laptop.spki)
	refusedWith(t, err, reason.EnrolNotExpected)
	if bytes.Contains(f.contents(t), []byte("/expected-")) {
		t.Error("something is left of the list")
	}
	for _, id := range []string{list.ID, "exp-1", ""} {
		if err := f.RemoveExpected(t.Context(), "moda", id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := f.ExpectedDevices(t.Context(), "moda", id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestFaultyLists(t *testing.T) {
	f := open(t)
	if _, err := f.directory.CreatePerson(t.Context(), wire.Person{Agency: "nstc", Name: "李", Account: "li"}); err != nil {
		t.Fatal(err)
	}
	gone, err := f.directory.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王", Account: "gone"})
	if err == nil {
		_, err = f.directory.SetDisabled(t.Context(), gone.ID, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	const head = "ek_sha256,device_name\n"
	f.expect(t, "nstc", head+strings.Repeat("c", 64)+",LT-1\n")
	mine := f.expect(t, "moda", head+strings.Repeat("d", 64)+",LT-1\n")
	before := f.contents(t)
	var long strings.Builder
	long.WriteString(head)
	for i := range enrolment.MaxListDevices + 1 {
		fmt.Fprintf(&long, "%064x,LT-%d\n", i, i)
	}
	for name, c := range map[string]struct{ csv, code, line, detail string }{
		"empty":               {"", reason.CfgListEmpty, "", ""},
		"header alone":        {head, reason.CfgListEmpty, "", ""},
		"no header":           {a + ",LT-1\n", reason.CfgListHeader, "", "ek_sha256"},
		"column missing":      {"ek_sha256\n" + a + "\n", reason.CfgListHeader, "", "device_name"},
		"column twice":        {"ek_sha256,device_name,ek_sha256\n" + a + ",LT-1," + a + "\n", reason.CfgListHeader, "", ""},
		"unknown column":      {"ek_sha256,device_name,serial\n" + a + ",LT-1,7\n", reason.CfgListHeader, "", ""},
		"spaces in header":    {"ek_sha256, device_name\n" + a + ",LT-1\n", reason.CfgListHeader, "", ""},
		"short line":          {head + a + ",LT-1\n" + b + "\n", reason.CfgListUnread, "3", ""},
		"long line":           {head + a + ",LT-1,x\n", reason.CfgListUnread, "2", ""},
		"open quote":          {head + "\"" + a + ",LT-1\n", reason.CfgListUnread, "2", ""},
		"digest too short":    {head + a + ",LT-1\n" + b[1:] + ",LT-2\n", reason.CfgListValue, "3", "ek_sha256"},
		"digest not hex":      {head + "g" + a[1:] + ",LT-1\n", reason.CfgListValue, "2", "ek_sha256"},
		"no digest":           {head + ",LT-1\n", reason.CfgListValue, "2", "ek_sha256"},
		"bad name":            {head + a + ",LT 1\n", reason.CfgListValue, "2", "device_name"},
		"no name":             {head + a + ",\n", reason.CfgListValue, "2", "device_name"},
		"space at name":       {head + a + ", LT-1\n", reason.CfgListValue, "2", "device_name"},
		"bad group":           {"ek_sha256,device_name,group\n" + a + ",LT-1,Pilot!\n", reason.CfgListValue, "2", "group"},
		"digest twice":        {head + a + ",LT-1\n" + b + ",LT-2\n" + strings.ToUpper(a) + ",LT-3\n", reason.CfgListTwice, "4", "2"},
		"name twice":          {head + a + ",LT-1\n" + b + ",lt-1\n", reason.CfgListTwice, "3", "device_name"},
		"unknown owner":       {"ek_sha256,device_name,owner\n" + a + ",LT-1,nobody\n", reason.CfgListPerson, "2", ""},
		"owner of another":    {"ek_sha256,device_name,owner\n" + a + ",LT-1,li\n", reason.CfgListPerson, "2", ""},
		"disabled owner":      {"ek_sha256,device_name,owner\n" + a + ",LT-1,gone\n", reason.CfgListPerson, "2", ""},
		"another agency":      {"ek_sha256,device_name,agency\n" + a + ",LT-1,nstc\n", reason.CfgListAgency, "2", ""},
		"no agency":           {"ek_sha256,device_name,agency\n" + a + ",LT-1,\n", reason.CfgListAgency, "2", ""},
		"on a list here":      {head + a + ",LT-8\n" + strings.Repeat("d", 64) + ",LT-9\n", reason.CfgListTaken, "3", mine.ID},
		"on a list elsewhere": {head + strings.Repeat("c", 64) + ",LT-9\n", reason.CfgListTaken, "2", "–"},
		"too many":            {long.String(), reason.CfgListSize, "", "10000"},
		"too large":           {head + strings.Repeat("x", enrolment.MaxListBytes), reason.CfgListSize, "", ""},
	} {
		_, _, err := f.ImportExpected(t.Context(), "moda", "delivery", "uid:0", []byte(c.csv))
		refusedWith(t, err, c.code)
		var told interface{ Reason() wire.Reason }
		if !errors.As(err, &told) {
			continue
		}
		if why := told.Reason(); why.Args["line"] != c.line || !strings.Contains(fmt.Sprint(why.Args), c.detail) {
			t.Errorf("%s: told %v", name, why.Args)
		}
	}
	if !bytes.Equal(f.contents(t), before) {
		t.Error("a refused list left something behind")
	}
	for _, name := range []string{"", "a\x00b", strings.Repeat("n", 101)} {
		_, _, err := f.ImportExpected(t.Context(), "moda", name, "uid:0", []byte(head+a+",LT-7\n"))
		refusedWith(t, err, reason.CfgName)
	}
	f.expect(t, "moda", "\ufeff"+head+a+",LT-7\n") // as spreadsheets write it
}

// A list that could not be written whole counts for nothing, and is in nobody's
// way.
func TestAListAppearsWholeOrNotAtAll(t *testing.T) {
	f := open(t)
	var csv strings.Builder
	csv.WriteString("ek_sha256,device_name\n" + laptop.ek(t) + ",LT-0\n")
	for i := range 300 { // three transactions and the head
		fmt.Fprintf(&csv, "%064x,LT-%d\n", i, i+1)
	}
	for left := range 4 {
		config := f.config
		config.Store = &failing{Store: f.store, left: left}
		f.use(t, config)
		if _, _, err := f.ImportExpected(t.Context(), "moda", "delivery", "uid:0", []byte(csv.String())); err == nil {
			t.Fatalf("imported with %d writes", left)
		}
		f.use(t, f.config)
		refusedWith(t, f.startError(t, laptop, ""), reason.EnrolNotExpected)
		if lists, err := f.ExpectedLists(t.Context(), "moda"); err != nil || len(lists) != 0 {
			t.Errorf("after %d writes: %+v %v", left, lists, err)
		}
	}
	if list := f.expect(t, "moda", csv.String()); list.Devices != 301 {
		t.Errorf("%+v", list)
	}
	if lists, err := f.ExpectedLists(t.Context(), "moda"); err != nil || len(lists) != 1 || lists[0].Devices != 301 {
		t.Errorf("%+v %v", lists, err)
	}
	if _, err := f.comes(t, laptop, laptop.start("")); err != nil {
		t.Error(err)
	}
}

func TestCodesForManyNames(t *testing.T) {
	f := open(t)
	records := len(f.audit.records)
	codes, err := f.IssueCodes(t.Context(), "moda", "uid:0", time.Hour, []byte("device_name\nLT-1\nLT-2\nLT-3\n"))
	if err != nil || len(codes) != 3 || codes[1].DeviceName != "LT-2" {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if n := len(f.audit.records) - records; n != 3 {
		t.Errorf("%d records", n)
	}
	out, err := f.Finish(t.Context(), laptop.finish(t, f.begin(t, laptop, codes[2].Code)), laptop.spki)
	if err != nil || out.DeviceName != "LT-3" {
		t.Errorf("%+v %v", out, err)
	}
	before := f.contents(t)
	var many strings.Builder
	many.WriteString("device_name\n")
	for i := range enrolment.MaxCodes + 1 {
		fmt.Fprintf(&many, "LT-%d\n", i)
	}
	for csv, code := range map[string]string{
		"device_name\nLT-4\nLT 5\n": reason.CfgListValue, "device_name\nLT-4\nlt-4\n": reason.CfgListTwice,
		"device_name\n": reason.CfgListEmpty, "name\nLT-4\n": reason.CfgListHeader, many.String(): reason.CfgListSize,
	} {
		_, err := f.IssueCodes(t.Context(), "moda", "uid:0", time.Hour, []byte(csv))
		refusedWith(t, err, code)
	}
	_, err = f.IssueCodes(t.Context(), "moda", "uid:0", time.Second, []byte("device_name\nLT-4\n"))
	refusedWith(t, err, reason.CfgLife)
	if !bytes.Equal(f.contents(t), before) {
		t.Error("a refused list of names made codes")
	}
}
