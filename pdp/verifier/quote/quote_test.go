package quote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/big"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// forger holds the private half of an AK, as no real attacker does: so each
// test reaches exactly the check that it is about, behind a true signature.
type forger struct {
	private *ecdsa.PrivateKey
	public  []byte // TPMT_PUBLIC
	name    []byte // Qualified Name
	extra   [sha256.Size]byte
	pcrs    []wire.PCRValue
}

const akAttributes = 1<<1 | 1<<4 | 1<<5 | 1<<6 | 1<<10 | 1<<16 | 1<<18

func newForger(t testing.TB) *forger {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{private: private, public: publicArea(t, private, akAttributes)}
	f.name = append([]byte{0, 0x0b}, bytes.Repeat([]byte{0x77}, sha256.Size)...)
	f.extra = sha256.Sum256([]byte("extra"))
	for _, index := range wire.QuotedPCRs {
		digest := sha256.Sum256([]byte{byte(index)})
		f.pcrs = append(f.pcrs, wire.PCRValue{Index: index, Digest: digest[:]})
	}
	return f
}

func publicArea(t testing.TB, private *ecdsa.PrivateKey, attributes uint32) []byte {
	t.Helper()
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0, 0x23, 0, 0x0b}
	b = binary.BigEndian.AppendUint32(b, attributes)
	b = append(b, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10)
	b = append(append(b, 0, 32), point[1:33]...)
	return append(append(b, 0, 32), point[33:]...)
}

func (f *forger) key(t testing.TB) *Key {
	t.Helper()
	key, err := NewKey(f.public, f.name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// attest is a genuine quote's structure.
func (f *forger) attest(t testing.TB) Attest {
	t.Helper()
	digest, err := digestOf(f.pcrs)
	if err != nil {
		t.Fatal(err)
	}
	return Attest{
		Type: typeQuote, QualifiedSigner: f.name, ExtraData: bytes.Clone(f.extra[:]),
		Clock:      wire.TPMClock{Clock: 1000, ResetCount: 3, RestartCount: 1, Safe: true, FirmwareVersion: 0x20191023},
		Selections: []Selection{{algSHA256, []byte{0xff, 0x47, 0}}},
		PCRDigest:  digest[:],
	}
}

func (f *forger) sign(t testing.TB, attest []byte) Signature {
	t.Helper()
	digest := sha256.Sum256(attest)
	r, s, err := ecdsa.Sign(rand.Reader, f.private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return Signature{r.Bytes(), s.Bytes()}
}

func (f *forger) quote(t testing.TB, attest []byte) wire.Quote {
	t.Helper()
	return wire.Quote{Attest: attest, Signature: f.sign(t, attest).Marshal()}
}

func TestGenuineQuote(t *testing.T) {
	f := newForger(t)
	a := f.attest(t)
	clock, err := f.key(t).Verify(f.quote(t, a.Marshal()), f.extra, f.pcrs)
	if err != nil || clock != a.Clock {
		t.Errorf("%+v, %v", clock, err)
	}
}

// Each forgery is signed by the very AK, so that only the check it is about
// can refuse it.
func TestForgedStructures(t *testing.T) {
	f := newForger(t)
	key := f.key(t)
	sha1Empty := sha256.Sum256(nil)
	for name, c := range map[string]struct {
		forge func(a *Attest)
		want  error
	}{
		"certification for a quote": {func(a *Attest) { a.Type, a.Name, a.QualifiedName = typeCertify, f.name, f.name }, ErrType},
		"creation for a quote":      {func(a *Attest) { a.Type = 0x801a }, ErrType},
		"other extra data":          {func(a *Attest) { a.ExtraData[0] ^= 1 }, ErrExtraData},
		"no extra data":             {func(a *Attest) { a.ExtraData = nil }, ErrExtraData},
		"longer extra data":         {func(a *Attest) { a.ExtraData = append(a.ExtraData, 0) }, ErrExtraData},
		"other signer":              {func(a *Attest) { a.QualifiedSigner = append([]byte{0, 0x0b}, make([]byte, 32)...) }, ErrSigner},
		"no signer":                 {func(a *Attest) { a.QualifiedSigner = nil }, ErrSigner},
		"no selection":              {func(a *Attest) { a.Selections = nil }, ErrSelection},
		"empty selection":           {func(a *Attest) { a.Selections[0].PCRs = []byte{0, 0, 0}; a.PCRDigest = sha1Empty[:] }, ErrSelection},
		"inactive SHA-1 bank":       {func(a *Attest) { a.Selections[0] = Selection{4, []byte{0, 0, 0}}; a.PCRDigest = sha1Empty[:] }, ErrSelection},
		"SHA-1 bank":                {func(a *Attest) { a.Selections[0].Hash = 4 }, ErrSelection},
		"SHA-384 bank":              {func(a *Attest) { a.Selections[0].Hash = 0x0c }, ErrSelection},
		"fewer PCRs":                {func(a *Attest) { a.Selections[0].PCRs = []byte{0x7f, 0x47, 0} }, ErrSelection},
		"another PCR":               {func(a *Attest) { a.Selections[0].PCRs = []byte{0xff, 0x47, 1} }, ErrSelection},
		"a PCR past the profile":    {func(a *Attest) { a.Selections[0].PCRs = []byte{0xff, 0x47, 0, 1} }, ErrSelection},
		"a second bank":             {func(a *Attest) { a.Selections = append(a.Selections, Selection{4, []byte{0, 0, 0}}) }, ErrSelection},
		"the bank twice":            {func(a *Attest) { a.Selections = append(a.Selections, a.Selections[0]) }, ErrSelection},
		"other digest":              {func(a *Attest) { a.PCRDigest[0] ^= 1 }, ErrDigest},
		"cut digest":                {func(a *Attest) { a.PCRDigest = a.PCRDigest[:31] }, ErrDigest},
	} {
		a := f.attest(t)
		c.forge(&a)
		clock, err := key.Verify(f.quote(t, a.Marshal()), f.extra, f.pcrs)
		if !errors.Is(err, c.want) || clock != (wire.TPMClock{}) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestForgedBytes(t *testing.T) {
	f := newForger(t)
	key := f.key(t)
	a := f.attest(t)
	genuine := a.Marshal()
	change := func(at int, to byte) []byte {
		b := bytes.Clone(genuine)
		b[at] = to
		return b
	}
	manyBanks, widePCRs := f.attest(t), f.attest(t)
	for len(manyBanks.Selections) <= maxBanks {
		manyBanks.Selections = append(manyBanks.Selections, manyBanks.Selections[0])
	}
	widePCRs.Selections[0].PCRs = []byte{0xff, 0x47, 0, 0, 1}
	const safeAt = 4 + 2 + 2 + 34 + 2 + 32 + 8 + 4 + 4
	for name, c := range map[string]struct {
		attest []byte
		want   error
	}{
		"trailing byte":      {append(bytes.Clone(genuine), 0), ErrMalformed},
		"cut off":            {genuine[:len(genuine)-1], ErrMalformed},
		"empty":              {nil, ErrMagic},
		"other magic":        {change(0, 0xfe), ErrMagic},
		"safe is neither":    {change(safeAt, 2), ErrMalformed},
		"too many banks":     {change(safeAt+1+8+3, 17), ErrMalformed},
		"huge bank count":    {change(safeAt+1+8, 0xff), ErrMalformed},
		"wide PCR selection": {change(safeAt+1+8+4+2, 5), ErrMalformed},
		"long signer name":   {change(6, 1), ErrMalformed},
		"17 banks":           {manyBanks.Marshal(), ErrMalformed},
		"a PCR past 32":      {widePCRs.Marshal(), ErrMalformed},
	} {
		if _, err := key.Verify(f.quote(t, c.attest), f.extra, f.pcrs); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// What is too large is not even hashed.
	large := wire.Quote{Attest: make([]byte, wire.MaxQuoteBytes+1), Signature: f.quote(t, genuine).Signature}
	if _, err := key.Verify(large, f.extra, f.pcrs); !errors.Is(err, ErrMalformed) {
		t.Errorf("larger than its bound: %v", err)
	}
	if genuine[safeAt] != 1 {
		t.Fatal("the offsets of this test are wrong")
	}
}

func TestForgedSignatures(t *testing.T) {
	f, other := newForger(t), newForger(t)
	key := f.key(t)
	a := f.attest(t)
	attest := a.Marshal()
	s := f.sign(t, attest)
	genuine := s.Marshal()
	order := elliptic.P256().Params().N
	mirrored := Signature{s.R, new(big.Int).Sub(order, new(big.Int).SetBytes(s.S)).Bytes()}
	header := func(alg, hash uint16) []byte {
		b := binary.BigEndian.AppendUint16(nil, alg)
		return append(binary.BigEndian.AppendUint16(b, hash), genuine[4:]...)
	}
	for name, c := range map[string]struct {
		signature []byte
		want      error
	}{
		"other key":          {other.sign(t, attest).Marshal(), ErrSignature},
		"other content":      {f.sign(t, attest[:10]).Marshal(), ErrSignature},
		"zeros":              {Signature{[]byte{0}, []byte{0}}.Marshal(), ErrSignature},
		"r is zero":          {Signature{make([]byte, 32), s.S}.Marshal(), ErrSignature},
		"s is the order":     {Signature{s.R, order.Bytes()}.Marshal(), ErrSignature},
		"empty r":            {Signature{nil, s.S}.Marshal(), ErrMalformed},
		"empty s":            {Signature{s.R, nil}.Marshal(), ErrMalformed},
		"long r":             {Signature{append([]byte{0}, make([]byte, 32)...), s.S}.Marshal(), ErrMalformed},
		"trailing byte":      {append(bytes.Clone(genuine), 0), ErrMalformed},
		"cut off":            {genuine[:len(genuine)-1], ErrMalformed},
		"empty":              {nil, ErrAlgorithm},
		"null":               {[]byte{0, 0x10}, ErrAlgorithm},
		"ECDSA with SHA-1":   {header(0x18, 4), ErrAlgorithm},
		"ECDSA with SHA-384": {header(0x18, 0x0c), ErrAlgorithm},
		"ECDAA":              {header(0x1a, 0x0b), ErrAlgorithm},
		"RSASSA":             {header(0x14, 0x0b), ErrAlgorithm},
		"HMAC":               {header(0x05, 0x0b), ErrAlgorithm},
		"larger than bound":  {append(bytes.Clone(genuine), make([]byte, wire.MaxQuoteBytes)...), ErrMalformed},
	} {
		q := wire.Quote{Attest: attest, Signature: c.signature}
		if _, err := key.Verify(q, f.extra, f.pcrs); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// ECDSA's other root is as true as this one: nothing may rest on a
	// signature's bytes being the only ones.
	if _, err := key.Verify(wire.Quote{Attest: attest, Signature: mirrored.Marshal()}, f.extra, f.pcrs); err != nil {
		t.Error(err)
	}
}

func TestForgedPCRValues(t *testing.T) {
	f := newForger(t)
	key := f.key(t)
	a := f.attest(t)
	q := f.quote(t, a.Marshal())
	for name, c := range map[string]struct {
		forge func(v []wire.PCRValue) []wire.PCRValue
		want  error
	}{
		"none":             {func([]wire.PCRValue) []wire.PCRValue { return nil }, ErrPCRs},
		"fewer":            {func(v []wire.PCRValue) []wire.PCRValue { return v[:10] }, ErrPCRs},
		"more":             {func(v []wire.PCRValue) []wire.PCRValue { return append(v, v[0]) }, ErrPCRs},
		"other index":      {func(v []wire.PCRValue) []wire.PCRValue { v[10].Index = 15; return v }, ErrPCRs},
		"order":            {func(v []wire.PCRValue) []wire.PCRValue { v[0], v[1] = v[1], v[0]; return v }, ErrPCRs},
		"values exchanged": {func(v []wire.PCRValue) []wire.PCRValue { v[0].Digest, v[1].Digest = v[1].Digest, v[0].Digest; return v }, ErrDigest},
		"other value":      {func(v []wire.PCRValue) []wire.PCRValue { v[7].Digest = make([]byte, 32); return v }, ErrDigest},
		"size":             {func(v []wire.PCRValue) []wire.PCRValue { v[7].Digest = v[7].Digest[:31]; return v }, ErrPCRs},
		// The same bytes in all, cut in another place.
		"bytes moved between values": {func(v []wire.PCRValue) []wire.PCRValue {
			all := append(bytes.Clone(v[0].Digest), v[1].Digest...)
			v[0].Digest, v[1].Digest = all[:31], all[31:]
			return v
		}, ErrPCRs},
	} {
		if _, err := key.Verify(q, f.extra, c.forge(append([]wire.PCRValue(nil), f.pcrs...))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestVerifyCertify(t *testing.T) {
	f := newForger(t)
	key := f.key(t)
	a := f.attest(t)
	a.Type, a.Name, a.QualifiedName = typeCertify, []byte("name"), []byte("qualified")
	attest := a.Marshal()
	got, err := key.VerifyCertify(attest, f.sign(t, attest).Marshal(), f.extra)
	if err != nil || string(got.Name) != "name" || string(got.QualifiedName) != "qualified" {
		t.Errorf("%+v, %v", got, err)
	}
	quoted := f.attest(t)
	attest = quoted.Marshal()
	if _, err := key.VerifyCertify(attest, f.sign(t, attest).Marshal(), f.extra); !errors.Is(err, ErrType) {
		t.Errorf("a quote for a certification: %v", err)
	}
	attest = append(a.Marshal(), 0)
	if _, err := key.VerifyCertify(attest, f.sign(t, attest).Marshal(), f.extra); !errors.Is(err, ErrMalformed) {
		t.Errorf("a trailing byte: %v", err)
	}
}

func TestPinnedKey(t *testing.T) {
	f := newForger(t)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(f.public)
		b[at] = to
		return b
	}
	for name, public := range map[string][]byte{
		"empty":                  nil,
		"cut off":                f.public[:50],
		"trailing byte":          append(bytes.Clone(f.public), 0),
		"RSA":                    change(1, 1),
		"named by SHA-1":         change(3, 4),
		"a policy":               append(append(bytes.Clone(f.public[:8]), 0, 1, 9), f.public[10:]...),
		"symmetric":              change(11, 6),
		"ECDAA":                  change(13, 0x1a),
		"SHA-384":                change(15, 0x0c),
		"P-384":                  change(17, 4),
		"key derivation":         change(19, 0x20),
		"off the curve":          change(len(f.public)-1, f.public[len(f.public)-1]^1),
		"unrestricted":           publicArea(t, f.private, akAttributes&^(1<<16)),
		"not signing":            publicArea(t, f.private, akAttributes&^(1<<18)),
		"decrypting":             publicArea(t, f.private, akAttributes|1<<17),
		"not fixed to its TPM":   publicArea(t, f.private, akAttributes&^(1<<1)),
		"not made by its TPM":    publicArea(t, f.private, akAttributes&^(1<<5)),
		"not fixed to its EK":    publicArea(t, f.private, akAttributes&^(1<<4)),
		"no authorization value": publicArea(t, f.private, akAttributes&^(1<<6)),
	} {
		if _, err := NewKey(public, f.name); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, qualified := range map[string][]byte{
		"none": nil, "short": f.name[:33], "long": append(bytes.Clone(f.name), 0), "SHA-384": append([]byte{0, 0x0c}, f.name[2:]...),
	} {
		if _, err := NewKey(f.public, qualified); !errors.Is(err, ErrKey) {
			t.Errorf("Qualified Name %s: %v", name, err)
		}
	}
}

// Some TPMs leave out the leading zeros of a coordinate.
func TestShortCoordinates(t *testing.T) {
	for {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public := publicArea(t, private, akAttributes)
		const xAt = 22
		if public[xAt] != 0 {
			continue
		}
		short := append(bytes.Clone(public[:xAt-2]), 0, 31)
		short = append(short, public[xAt+1:]...)
		key, err := NewKey(short, append([]byte{0, 0x0b}, make([]byte, 32)...))
		if err != nil || !key.public.Equal(&private.PublicKey) {
			t.Errorf("%v", err)
		}
		return
	}
}

func TestDERIsWhatTheLibraryReads(t *testing.T) {
	f := newForger(t)
	for range 200 {
		digest := sha256.Sum256([]byte("x"))
		r, s, err := ecdsa.Sign(rand.Reader, f.private, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 32} { // as short as can be, and padded
			signature := Signature{r.Bytes(), s.Bytes()}
			if size > 0 {
				signature = Signature{r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))}
			}
			if !ecdsa.VerifyASN1(&f.private.PublicKey, digest[:], signature.der(nil)) {
				t.Fatalf("% x", signature.der(nil))
			}
		}
	}
}
