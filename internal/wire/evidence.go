package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Sizes and bounds of Evidence.
const (
	NonceSize        = 32
	MaxClaimsBytes   = 64 << 10
	MaxEventLogBytes = 512 << 10
	MaxQuoteBytes    = 4 << 10
	// MaxIMABytes bounds one piece of an IMA measurement list.
	MaxIMABytes = 512 << 10
)

// QuotedPCRs are the PCRs of the SHA-256 bank that every quote selects:
// firmware, boot loader and kernel (0–9), the platform's Secure Boot policy (7
// among them), what Linux measures at run time (10, IMA), and MOK (14).
var QuotedPCRs = [...]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, RunTimePCR, 14}

// RunTimePCR is the PCR that Linux IMA extends as the machine runs; the
// firmware's event log says nothing of it.
const RunTimePCR = 10

// Evidence is what the agent sends for one nonce.
type Evidence struct {
	// Claims are the exact bytes of a Claims document, as measured.
	Claims []byte `json:"claims,omitempty"`
	// ClaimsDigest stands for Claims where they are, but for the time of
	// measuring, those of the last Evidence that was accepted: SHA-256 over
	// those bytes. The quote is then made over those bytes.
	ClaimsDigest []byte `json:"claims_digest,omitempty"`
	Quote        Quote  `json:"quote"`
	// PCRs holds the quoted PCRs' values, ascending as in QuotedPCRs.
	PCRs []PCRValue `json:"pcrs"`
	// EventLog is the firmware's TCG event log, empty where the machine has none.
	EventLog []byte `json:"event_log,omitempty"`
	// EventLogDigest stands for EventLog where the PDP has it already: SHA-256
	// over its bytes.
	EventLogDigest []byte `json:"event_log_digest,omitempty"`
	// IMA is the next piece of Linux's run-time measurement list.
	IMA *IMAPiece `json:"ima,omitempty"`
	// Software stands for Quote and PCRs where the keys live in software.
	Software *SoftwareProof `json:"software,omitempty"`
}

// IMAPiece is a run of whole entries of the binary run-time measurement list.
type IMAPiece struct {
	// From is the number of entries that the PDP has already.
	From int    `json:"from"`
	Log  []byte `json:"log"`
	// More says that the list goes on after this piece.
	More bool `json:"more,omitempty"`
}

// SoftwareProof is what a device without a TPM signs. It proves possession of
// a key that can be copied, and nothing of the machine.
type SoftwareProof struct {
	// Counter grows with each Evidence, so that two copies of a key are told
	// apart.
	Counter uint64 `json:"counter"`
	// Signature is ASN.1 ECDSA P-256 over SoftwareBinding.
	Signature []byte `json:"signature"`
}

// SoftwareBinding returns the 32 bytes that a SoftwareProof signs: as
// QuoteBinding, with the counter.
func SoftwareBinding(nonce [NonceSize]byte, claims []byte, tlsSPKI [sha256.Size]byte, counter uint64) [sha256.Size]byte {
	return SoftwareBindingOf(nonce, sha256.Sum256(claims), tlsSPKI, counter)
}

// SoftwareBindingOf is SoftwareBinding for claims of which the digest is known.
func SoftwareBindingOf(nonce [NonceSize]byte, claims, tlsSPKI [sha256.Size]byte, counter uint64) [sha256.Size]byte {
	inner := QuoteBindingOf(nonce, claims, tlsSPKI)
	return binding("menshen/software/v1", inner[:], sha256.Sum256(binary.BigEndian.AppendUint64(nil, counter)), tlsSPKI)
}

// SoftwareCertifyBinding returns the 32 bytes that the attestation key of a
// device without a TPM signs for each of its keys at enrolment; purpose is
// "attestation", "tls" or "signing", public the key's SubjectPublicKeyInfo.
func SoftwareCertifyBinding(purpose string, nonce [NonceSize]byte, public []byte, tlsSPKI [sha256.Size]byte) [sha256.Size]byte {
	return binding("menshen/software-certify/"+purpose+"/v1", nonce[:], sha256.Sum256(public), tlsSPKI)
}

// Quote is a TPM2_Quote's answer: a TPMS_ATTEST and a TPMT_SIGNATURE, each
// exactly as the TPM marshalled it.
type Quote struct {
	Attest    []byte `json:"attest"`
	Signature []byte `json:"signature"`
}

// PCRValue is one PCR of the SHA-256 bank.
type PCRValue struct {
	Index  int    `json:"index"`
	Digest []byte `json:"digest"`
}

// QuoteBinding returns the 32 bytes that a quote must carry as extraData:
// SHA-256 over a fixed label, the PDP's nonce, the claims' digest and the
// digest of the device's TLS key (SubjectPublicKeyInfo). So claims cannot be
// swapped and a quote cannot travel to another channel.
func QuoteBinding(nonce [NonceSize]byte, claims []byte, tlsSPKI [sha256.Size]byte) [sha256.Size]byte {
	return QuoteBindingOf(nonce, sha256.Sum256(claims), tlsSPKI)
}

// QuoteBindingOf is QuoteBinding for claims of which the digest is known.
func QuoteBindingOf(nonce [NonceSize]byte, claims, tlsSPKI [sha256.Size]byte) [sha256.Size]byte {
	return binding("menshen/quote/v1", nonce[:], claims, tlsSPKI)
}

// CertifyBinding returns the 32 bytes that TPM2_Certify must carry as
// extraData when a device key is certified at enrolment; purpose is "tls" or
// "signing".
func CertifyBinding(purpose string, nonce [NonceSize]byte, tlsSPKI [sha256.Size]byte) [sha256.Size]byte {
	return binding("menshen/certify/"+purpose+"/v1", nonce[:], sha256.Sum256(nil), tlsSPKI)
}

func binding(label string, nonce []byte, body, tlsSPKI [sha256.Size]byte) [sha256.Size]byte {
	labelDigest := sha256.Sum256([]byte(label))
	h := sha256.New()
	h.Write(labelDigest[:])
	h.Write(nonce)
	h.Write(body[:])
	h.Write(tlsSPKI[:])
	return [sha256.Size]byte(h.Sum(nil))
}

// TPMClock is the TPMS_CLOCK_INFO and firmware version of a verified quote.
type TPMClock struct {
	Clock           uint64 `json:"clock"`
	ResetCount      uint32 `json:"reset_count"`
	RestartCount    uint32 `json:"restart_count"`
	Safe            bool   `json:"safe"`
	FirmwareVersion uint64 `json:"firmware_version"`
}

// Age bounds of Evidence (design: protocols, Attest).
const (
	NonceLife = 120 * time.Second
)
