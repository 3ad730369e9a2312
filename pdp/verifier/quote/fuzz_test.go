package quote

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// FuzzParseAttest: what is accepted marshals to itself, and go-tpm reads the
// same in it.
func FuzzParseAttest(f *testing.F) {
	forger := newForger(f)
	a := forger.attest(f)
	f.Add(a.Marshal())
	f.Add(append(a.Marshal(), 0))
	f.Add(a.Marshal()[:40])
	a.Selections = append(a.Selections, Selection{4, []byte{0, 0, 0}}, Selection{0x0c, nil})
	f.Add(a.Marshal())
	a.Type, a.Name, a.QualifiedName = typeCertify, forger.name, forger.name
	f.Add(a.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAttest(b)
		if err != nil {
			return
		}
		if !bytes.Equal(a.Marshal(), b) {
			t.Fatalf("% x marshals to % x", b, a.Marshal())
		}
		peer, err := tpm2.Unmarshal[tpm2.TPMSAttest](b)
		if err != nil {
			t.Fatalf("go-tpm refuses it: %v", err)
		}
		if err := same(a, peer); err != nil {
			t.Fatal(err)
		}
	})
}

func same(a Attest, peer *tpm2.TPMSAttest) error {
	clock := wire.TPMClock{
		Clock: peer.ClockInfo.Clock, ResetCount: peer.ClockInfo.ResetCount, RestartCount: peer.ClockInfo.RestartCount,
		Safe: peer.ClockInfo.Safe, FirmwareVersion: peer.FirmwareVersion,
	}
	if a.Type != uint16(peer.Type) || !bytes.Equal(a.QualifiedSigner, peer.QualifiedSigner.Buffer) ||
		!bytes.Equal(a.ExtraData, peer.ExtraData.Buffer) || a.Clock != clock {
		return fmt.Errorf("go-tpm reads %+v", peer)
	}
	if a.Type == typeCertify {
		info, err := peer.Attested.Certify()
		if err != nil || !bytes.Equal(a.Name, info.Name.Buffer) || !bytes.Equal(a.QualifiedName, info.QualifiedName.Buffer) {
			return fmt.Errorf("go-tpm reads %+v, %w", info, err)
		}
		return nil
	}
	info, err := peer.Attested.Quote()
	if err != nil || !bytes.Equal(a.PCRDigest, info.PCRDigest.Buffer) || len(a.Selections) != len(info.PCRSelect.PCRSelections) {
		return fmt.Errorf("go-tpm reads %+v, %w", info, err)
	}
	for i, s := range info.PCRSelect.PCRSelections {
		if uint16(s.Hash) != a.Selections[i].Hash || !bytes.Equal(s.PCRSelect, a.Selections[i].PCRs) {
			return fmt.Errorf("go-tpm reads %+v", s)
		}
	}
	return nil
}

// FuzzParseSignature: as FuzzParseAttest, and der never panics.
func FuzzParseSignature(f *testing.F) {
	forger := newForger(f)
	f.Add(forger.sign(f, []byte("x")).Marshal())
	f.Add(Signature{[]byte{0, 0, 0x80}, []byte{0}}.Marshal())
	f.Add([]byte{0, 0x18, 0, 0x0b, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSignature(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), b) {
			t.Fatalf("% x marshals to % x", b, s.Marshal())
		}
		s.der(nil)
		peer, err := tpm2.Unmarshal[tpm2.TPMTSignature](b)
		if err != nil {
			t.Fatalf("go-tpm refuses it: %v", err)
		}
		pair, err := peer.Signature.ECDSA()
		if err != nil || !bytes.Equal(pair.SignatureR.Buffer, s.R) || !bytes.Equal(pair.SignatureS.Buffer, s.S) {
			t.Fatalf("go-tpm reads %+v, %v", pair, err)
		}
	})
}

// FuzzNewKey: what is accepted, go-tpm reads as the same key.
func FuzzNewKey(f *testing.F) {
	forger := newForger(f)
	f.Add(forger.public)
	f.Add(forger.public[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := NewKey(b, forger.name)
		if err != nil {
			return
		}
		peer, err := tpm2.Unmarshal[tpm2.TPMTPublic](b)
		if err != nil || !bytes.Equal(tpm2.Marshal(peer), b) {
			t.Fatalf("go-tpm refuses it: %v", err)
		}
		public, err := tpm2.Pub(*peer)
		if err != nil || !key.public.Equal(public) || !peer.ObjectAttributes.Restricted || peer.ObjectAttributes.Decrypt {
			t.Fatalf("go-tpm reads %+v, %v", peer, err)
		}
	})
}
