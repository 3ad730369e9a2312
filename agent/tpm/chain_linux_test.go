package tpm

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// sequence is a DER SEQUENCE of n bytes in all, filled with one value.
func sequence(n int, fill byte) []byte {
	body := n - 4
	return append([]byte{0x30, 0x82, byte(body >> 8), byte(body)}, bytes.Repeat([]byte{fill}, body)...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestNoIntermediates(t *testing.T) {
	b := newBench(t)
	if found, err := b.tpm.EKIntermediates(); err != nil || len(found) != 0 {
		t.Error(len(found), err)
	}
	b.fillNV(t, 0x01c000ff, sequence(300, 1), false) // just outside the range
	b.fillNV(t, 0x01c00200, sequence(300, 2), false)
	if found, err := b.tpm.EKIntermediates(); err != nil || len(found) != 0 {
		t.Error(len(found), err)
	}
	if err := b.tpm.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tpm.EKIntermediates(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestIntermediatesAreReadFromNV(t *testing.T) {
	one, two, three, four := sequence(300, 1), sequence(500, 2), sequence(400, 3), sequence(300, 4)
	for name, c := range map[string]struct {
		areas map[tpm2.TPMHandle][]byte
		want  [][]byte
	}{
		"one an area":         {map[tpm2.TPMHandle][]byte{0x01c00100: one, 0x01c00101: two}, [][]byte{one, two}},
		"many in an area":     {map[tpm2.TPMHandle][]byte{0x01c00100: join(one, two, three)}, [][]byte{one, two, three}},
		"padded":              {map[tpm2.TPMHandle][]byte{0x01c00100: join(one, make([]byte, 50)), 0x01c00101: join(two, []byte{0xff, 0xff})}, [][]byte{one, two}},
		"one over two areas":  {map[tpm2.TPMHandle][]byte{0x01c00100: join(one, two[:100]), 0x01c00101: join(two[100:], three)}, [][]byte{one, two, three}},
		"cut within its head": {map[tpm2.TPMHandle][]byte{0x01c00100: join(one, two[:1]), 0x01c00101: two[1:]}, [][]byte{one, two}},
		"a gap and the last":  {map[tpm2.TPMHandle][]byte{0x01c00100: one, 0x01c001ff: four}, [][]byte{one, four}},
		"something else":      {map[tpm2.TPMHandle][]byte{0x01c00100: {0xd8, 1, 2, 3}, 0x01c00101: two}, [][]byte{two}},
		"cut off for good":    {map[tpm2.TPMHandle][]byte{0x01c00100: one, 0x01c00101: two[:200]}, [][]byte{one}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for at, content := range c.areas {
				b.fillNV(t, at, content, at == 0x01c00101)
			}
			found, err := b.tpm.EKIntermediates()
			if err != nil || len(found) != len(c.want) {
				t.Fatalf("%d certificates, %v", len(found), err)
			}
			for i := range found {
				if !bytes.Equal(found[i], c.want[i]) {
					t.Errorf("certificate %d: %d bytes, % x", i, len(found[i]), found[i][:8])
				}
			}
		})
	}
}

// An area that was never written is passed over.
func TestBlankChainArea(t *testing.T) {
	b := newBench(t)
	area := tpm2.TPMSNVPublic{
		NVIndex: 0x01c00100, NameAlg: tpm2.TPMAlgSHA256, DataSize: 64,
		Attributes: tpm2.TPMANV{OwnerWrite: true, AuthRead: true, NoDA: true},
	}
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	if _, err := (tpm2.NVDefineSpace{AuthHandle: owner, PublicInfo: tpm2.New2B(area)}.Execute(b.tpm.connection)); err != nil {
		t.Fatal(err)
	}
	one := sequence(200, 1)
	b.fillNV(t, 0x01c00101, one, false)
	if found, err := b.tpm.EKIntermediates(); err != nil || len(found) != 1 || !bytes.Equal(found[0], one) {
		t.Error(len(found), err)
	}
}

// No more is collected than a device may send.
func TestAChainIsBounded(t *testing.T) {
	var many chain
	for i := range wire.MaxEKIntermediates + 3 {
		if more := many.add(sequence(100, byte(i))); more != (i < wire.MaxEKIntermediates) {
			t.Errorf("after %d: %v", i+1, more)
		}
	}
	if len(many.certificates) != wire.MaxEKIntermediates {
		t.Errorf("%d certificates", len(many.certificates))
	}
	var large chain
	for range 3 {
		large.add(sequence(7<<10, 1))
	}
	if len(large.certificates) != 2 || large.size > wire.MaxEKIntermediatesBytes {
		t.Errorf("%d certificates of %d bytes", len(large.certificates), large.size)
	}
	var endless chain
	for range 10 {
		endless.add(join([]byte{0x30, 0x82, 0xff, 0xff}, make([]byte, 8<<10)))
	}
	if len(endless.partial) > wire.MaxEKIntermediatesBytes {
		t.Errorf("%d bytes are kept of one certificate", len(endless.partial))
	}
}
