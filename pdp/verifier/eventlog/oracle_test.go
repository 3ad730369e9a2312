package eventlog

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-attestation/attest"

	"github.com/menshen-zt/menshen/internal/wire"
)

// disagreement is one row of the table in docs/divergences.md.
type disagreement struct{ log, oracle, own string }

// TestAgainstGoAttestation holds what this package says of every public log,
// and of those that had to be synthesised, beside go-attestation v0.6.4: the
// events of each PCR, their digests, the Secure Boot state and how many keys
// there are. Where they disagree the document says so, and nowhere else.
func TestAgainstGoAttestation(t *testing.T) {
	var found []disagreement
	for _, s := range slices.Concat(publicLogs(t), synthesised(t)) {
		l, err := Parse(s.raw)
		if err != nil {
			t.Fatal(err)
		}
		events := oracleEvents(t, s)
		sameEvents(t, s, l, events)
		oracle, own := oracleVerdict(events), verdict(read(l, s.bank, s.pcrs))
		t.Logf("%s: %s | %s", s.name, oracle, own)
		if oracle != own {
			found = append(found, disagreement{s.name, oracle, own})
		}
	}
	slices.SortFunc(found, func(a, b disagreement) int { return cmp.Compare(a.log, b.log) })
	if documented := documented(t); !slices.Equal(found, documented) {
		for _, d := range found {
			if !slices.Contains(documented, d) {
				t.Errorf("docs/divergences.md has no row | %s | %s | %s |", d.log, d.oracle, d.own)
			}
		}
		for _, d := range documented {
			if !slices.Contains(found, d) {
				t.Errorf("docs/divergences.md has a row that is not so, or twice: | %s | %s | %s |", d.log, d.oracle, d.own)
			}
		}
	}
}

// oracleEvents are the events as the oracle replays them.
func oracleEvents(t *testing.T, s sample) []attest.Event {
	t.Helper()
	hash := crypto.SHA256
	if s.bank.algorithm == SHA1 {
		hash = crypto.SHA1
	}
	var pcrs []attest.PCR
	for _, p := range s.pcrs {
		pcrs = append(pcrs, attest.PCR{Index: p.Index, Digest: p.Digest, DigestAlg: hash})
	}
	if s.dump != nil {
		ak, err := attest.ParseAKPublic(s.dump.AK.Public)
		if err != nil {
			t.Fatal(err)
		}
		quote := attest.Quote{Quote: s.dump.Quote.Quote, Signature: s.dump.Quote.Signature}
		if err := ak.Verify(quote, s.dump.Log.PCRs, s.dump.Quote.Nonce); err != nil {
			t.Fatalf("%s: the quote is not genuine: %v", s.name, err)
		}
	}
	l, err := attest.ParseEventLog(s.raw)
	if err != nil {
		t.Fatalf("%s: the oracle cannot parse it: %v", s.name, err)
	}
	events, err := l.Verify(pcrs)
	if err != nil {
		t.Fatalf("%s: the oracle's replay differs: %v", s.name, err)
	}
	return events
}

// sameEvents holds the authenticated events of each quoted PCR against the
// oracle's.
func sameEvents(t *testing.T, s sample, l *Log, theirs []attest.Event) {
	t.Helper()
	events, problems := authenticate(l.Events, s.bank, s.pcrs)
	if len(problems) > 0 { // the verdict says so
		return
	}
	var own []Event
	for _, e := range events {
		if e.Type != NoAction && slices.Contains(wire.QuotedPCRs[:], int(e.PCR)) {
			own = append(own, e)
		}
	}
	if len(own) != len(theirs) {
		t.Errorf("%s: %d events, the oracle has %d", s.name, len(own), len(theirs))
		return
	}
	for i, e := range theirs {
		if int(own[i].PCR) != e.Index || own[i].Type != uint32(e.Type) || !bytes.Equal(own[i].Data, e.Data) ||
			!bytes.Equal(own[i].Digest(s.bank.algorithm), e.Digest) {
			t.Errorf("%s: event %d is another than the oracle's", s.name, i)
		}
	}
}

func oracleVerdict(events []attest.Event) string {
	state, err := attest.ParseSecurebootState(events)
	if err != nil {
		return "refused: " + err.Error()
	}
	on := wire.SecureBootOff
	if state.Enabled {
		on = wire.SecureBootOn
	}
	return fmt.Sprintf("Secure Boot %s, PK %d, KEK %d, db %d, dbx %d", on,
		len(state.PlatformKeys)+len(state.PlatformKeyHashes), len(state.ExchangeKeys)+len(state.ExchangeKeyHashes),
		len(state.PermittedKeys)+len(state.PermittedHashes), len(state.ForbiddenKeys)+len(state.ForbiddenHashes))
}

func verdict(boot wire.Boot, problems []Problem) string {
	if len(boot.PCRDigest) == 0 {
		var codes []string
		for _, p := range problems {
			if p.Fatal {
				codes = append(codes, p.Code)
			}
		}
		return "refused: " + strings.Join(slices.Compact(codes), ", ")
	}
	members := map[wire.MeasurementKind]int{}
	for _, m := range boot.Measurements {
		members[m.Kind] += len(m.Members)
	}
	return fmt.Sprintf("Secure Boot %s, PK %d, KEK %d, db %d, dbx %d", cmp.Or(boot.SecureBoot, "unknown"),
		members[wire.MeasuredPK], members[wire.MeasuredKEK], members[wire.MeasuredDB], members[wire.MeasuredDBX])
}

// documented reads the table's rows. Each says who is right, and why.
func documented(t *testing.T) []disagreement {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## Event logs: go-attestation v0.6.4\n")
	if !ok {
		t.Fatal("docs/divergences.md has no section for the event log's oracle")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var all []disagreement
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.Contains(cells[0], "---") || strings.TrimSpace(cells[0]) == "log" {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if cells[3] == "" || cells[4] == "" {
			t.Errorf("%s: who is right, and why?", cells[0])
		}
		all = append(all, disagreement{cells[0], cells[1], cells[2]})
	}
	slices.SortFunc(all, func(a, b disagreement) int { return cmp.Compare(a.log, b.log) })
	return all
}

// synthesised are logs that nobody published: they are made here, and named so.
func synthesised(t *testing.T) []sample {
	t.Helper()
	read, unread := platformCertificate(t), negativeSerial(t, platformCertificate(t))
	all := []sample{
		newSample(t, "synthesised: Windows, Secure Boot off", logOf(windowsOff()).Marshal()),
		newSample(t, "synthesised: Linux, Secure Boot on", logOf(signedBy(read)).Marshal()),
		newSample(t, "synthesised: certificate of negative serial", logOf(signedBy(unread)).Marshal()),
		newSample(t, "synthesised: second separator in PCR 4",
			logOf(append(signedBy(read), application(`\EFI\evil.efi`, "evil"), separatorOf(4))).Marshal()),
	}
	relabelled := signedBy(read)
	relabelled[atGRUB].kind = EFIAction
	all = append(all, newSample(t, "synthesised: boot loader called an action", logOf(relabelled).Marshal()))
	stripped := slices.DeleteFunc(signedBy(read), func(s step) bool { return s.pcr == 14 })
	unlogged := newSample(t, "synthesised: PCR 14 extended, not logged", logOf(stripped).Marshal())
	unlogged.pcrs = quoted(logOf(signedBy(read)), sha256Bank(), 0)
	return append(all, unlogged)
}

// signedBy is the genuine boot with a certificate that x509 can be asked for.
func signedBy(der []byte) []step {
	steps := genuine()
	list := signatureListOf(typeX509, der)
	for at, v := range map[int]struct{ owner, name string }{
		atPK: {globalGUID, "PK"}, atKEK: {globalGUID, "KEK"}, atDB: {imageSecurityGUID, "db"},
	} {
		steps[at].data = efiVariable(v.owner, v.name, list)
	}
	steps[atAuthority] = authorityOf(imageSecurityGUID, "db", append(make([]byte, ownerSize), der...))
	return steps
}

// windowsOff is a boot of Windows without Secure Boot, after the public logs of
// Windows: no such log is public.
func windowsOff() []step {
	steps := []step{
		{0, CRTMVersion, wideText("1.0\x00"), nil},
		secureBootIs(0),
	}
	for _, v := range [...]struct{ owner, name string }{
		{globalGUID, "PK"}, {globalGUID, "KEK"}, {imageSecurityGUID, "db"}, {imageSecurityGUID, "dbx"},
	} {
		steps = append(steps, step{7, EFIVariableDriverConfig, efiVariable(v.owner, v.name, nil), nil})
	}
	steps = append(steps, step{4, EFIAction, []byte("Calling EFI Application from Boot Option"), nil})
	for pcr := range uint32(separators) {
		steps = append(steps, separatorOf(pcr))
	}
	return append(steps,
		step{5, EFIGPTEvent, []byte("EFI PART and so on"), nil},
		application(`\EFI\Microsoft\Boot\bootmgfw.efi`, "boot manager"),
		step{11, CompactHash, []byte{1, 0, 0, 0}, nil},
		step{14, EventTag, []byte("authorities"), nil},
		step{14, Separator, []byte("WBCL"), nil},
		step{5, EFIAction, []byte(exitInvocation), nil},
		step{5, EFIAction, []byte(exitSuccess), nil},
	)
}

func platformCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1122334455667788), Subject: pkix.Name{CommonName: "platform"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// negativeSerial makes a certificate one that Go does not read, as some
// firmware has them.
func negativeSerial(t *testing.T, der []byte) []byte {
	t.Helper()
	der[bytes.Index(der, []byte{0x11, 0x22, 0x33, 0x44})] |= 0x80
	if _, err := x509.ParseCertificate(der); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Fatalf("Go reads a certificate of negative serial: %v", err)
	}
	return der
}
