package endorsement

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"testing"
)

const (
	akAttributes     = 1<<1 | 1<<4 | 1<<5 | 1<<6 | 1<<10 | 1<<16 | 1<<18
	deviceAttributes = akAttributes &^ (1 << 16)
)

// area is a TPMT_PUBLIC of a P-256 key with the given attributes.
func area(t testing.TB, attributes uint32) []byte {
	t.Helper()
	point, err := newECKey(t, elliptic.P256()).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0, 0x23, 0, 0x0b}
	b = binary.BigEndian.AppendUint32(b, attributes)
	b = append(b, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10)
	b = append(append(b, 0, 32), point[1:33]...)
	return append(append(b, 0, 32), point[33:]...)
}

func TestAttributes(t *testing.T) {
	for _, attributes := range []uint32{akAttributes, akAttributes &^ (1 << noDA)} {
		if _, err := CheckAK(area(t, attributes)); err != nil {
			t.Errorf("AK %#x: %v", attributes, err)
		}
	}
	for _, attributes := range []uint32{deviceAttributes, deviceAttributes &^ (1 << noDA)} {
		if _, _, err := CheckDeviceKey(area(t, attributes)); err != nil {
			t.Errorf("device key %#x: %v", attributes, err)
		}
	}
	// Every single bit but noDA matters.
	for bit := range 32 {
		if bit == noDA {
			continue
		}
		if _, err := CheckAK(area(t, akAttributes^1<<bit)); !errors.Is(err, ErrAK) {
			t.Errorf("AK with bit %d turned: %v", bit, err)
		}
		if _, _, err := CheckDeviceKey(area(t, deviceAttributes^1<<bit)); !errors.Is(err, ErrDeviceKey) {
			t.Errorf("device key with bit %d turned: %v", bit, err)
		}
	}
}

func TestRefusedPublicAreas(t *testing.T) {
	good := area(t, akAttributes)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, public := range map[string][]byte{
		"empty":          nil,
		"cut off":        good[:70],
		"trailing byte":  append(bytes.Clone(good), 0),
		"RSA":            change(1, 1),
		"named by SHA-1": change(3, 4),
		"a policy":       append(append(bytes.Clone(good[:8]), 0, 1, 9), good[10:]...),
		"ECDAA":          change(13, 0x1a),
		"no scheme":      append(append(bytes.Clone(good[:12]), 0, 0x10), good[16:]...),
		"SHA-384":        change(15, 0x0c),
		"P-384":          change(17, 4),
		"off the curve":  change(len(good)-1, good[len(good)-1]^1),
		"at infinity":    append(bytes.Clone(good[:20]), 0, 0, 0, 0),
		"long x":         append(append(append(bytes.Clone(good[:20]), 0, 64), make([]byte, 64)...), good[54:]...),
		"long y":         append(append(bytes.Clone(good[:54]), 0, 80), make([]byte, 80)...),
		"symmetric":      append(append(bytes.Clone(good[:10]), 0, 6, 0, 128, 0, 0x43), good[12:]...),
		"key derivation": append(append(bytes.Clone(good[:18]), 0, 0x22, 0, 0x0b), good[20:]...),
	} {
		if _, err := CheckAK(public); !errors.Is(err, ErrAK) {
			t.Errorf("AK, %s: %v", name, err)
		}
		if _, _, err := CheckDeviceKey(public); !errors.Is(err, ErrDeviceKey) {
			t.Errorf("device key, %s: %v", name, err)
		}
	}
}

func TestDeviceKeyIsKnownByItsSPKI(t *testing.T) {
	raw := area(t, deviceAttributes)
	name, spki, err := CheckDeviceKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(p.key)
	if err != nil || sha256.Sum256(der) != spki {
		t.Error("another SPKI", err)
	}
	digest := sha256.Sum256(raw)
	if !bytes.Equal(name, append([]byte{0, 0x0b}, digest[:]...)) {
		t.Errorf("Name %x", name)
	}
}

func TestChallengeRefuses(t *testing.T) {
	k, err := Rebuild(mustRSA(t))
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 32)
	ak := area(t, akAttributes)
	if _, _, err := k.Challenge(ak, secret, bytes.NewReader(nil)); err == nil {
		t.Error("a challenge without randomness")
	}
	if _, _, err := k.Challenge(ak, secret[:31], bytes.NewReader(make([]byte, 4096))); err == nil {
		t.Error("a challenge with a short secret")
	}
	unrestricted := area(t, deviceAttributes)
	if _, _, err := k.Challenge(unrestricted, secret, bytes.NewReader(make([]byte, 4096))); !errors.Is(err, ErrAK) {
		t.Error("a challenge for an unrestricted key:", err)
	}
	if _, err := k.QualifiedName(unrestricted); !errors.Is(err, ErrAK) {
		t.Error("a Qualified Name for an unrestricted key:", err)
	}
}

// FuzzCheckAK: nothing panics, and what is accepted is restricted.
func FuzzCheckAK(f *testing.F) {
	f.Add(area(f, akAttributes))
	f.Add(area(f, deviceAttributes))
	f.Add(area(f, akAttributes)[:40])
	f.Fuzz(func(t *testing.T, public []byte) {
		if _, err := CheckAK(public); err == nil {
			const restricted, decrypt = 1 << 16, 1 << 17
			if a := binary.BigEndian.Uint32(public[4:]); a&restricted == 0 || a&decrypt != 0 {
				t.Errorf("attributes %#x", a)
			}
		}
	})
}
