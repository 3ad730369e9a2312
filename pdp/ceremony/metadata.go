package ceremony

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/go-webauthn/webauthn/metadata/providers/memory"
	"github.com/google/uuid"
)

const (
	maxBlob = 64 << 20
	// blobSigner is the name that the BLOB's signing certificate must carry:
	// its root is a public one, which signs for others too (FIDO MDS 3, 3.2).
	blobSigner = "mds.fidoalliance.org"
)

// testAAGUID is that of Chromium's virtual authenticator.
var testAAGUID = uuid.UUID{1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}

// models is what is known of the makes of security keys.
type models struct {
	provider  metadata.Provider
	permitted map[uuid.UUID]bool // empty: all
	loaded    bool
}

func loadModels(config Config) (*models, error) {
	m := &models{permitted: make(map[uuid.UUID]bool)}
	for _, text := range config.PermitAAGUIDs {
		aaguid, err := uuid.Parse(text)
		if err != nil || aaguid == uuid.Nil || aaguid == testAAGUID {
			return nil, fmt.Errorf("ceremony: permitted AAGUID %q: not the AAGUID of a model", text)
		}
		m.permitted[aaguid] = true
	}
	entries := map[uuid.UUID]*metadata.Entry{}
	if config.MDSFile == "" {
		config.Logger.Warn("no FIDO metadata file is set: no hardware key can be registered")
	} else {
		blob, err := readBlob(config)
		if err != nil {
			return nil, fmt.Errorf("ceremony: FIDO metadata %s: %w", config.MDSFile, err)
		}
		if config.Clock().After(blob.Parsed.NextUpdate) {
			config.Logger.Warn("the FIDO metadata is older than its next update: revoked models may be missing", "next_update", blob.Parsed.NextUpdate.Format(time.DateOnly))
		}
		entries, m.loaded = blob.ToMap(), true
	}
	// The library's own look-ups: an entry is required, its trust anchors,
	// status, attestation types, formats, algorithms and abilities must fit.
	provider, err := memory.New(memory.WithMetadata(entries), memory.WithValidateAAGUID(true), memory.WithValidateAttestationFormats(true),
		memory.WithValidateAlgorithms(true), memory.WithValidateBackupEligibility(true), memory.WithValidateUserVerification(true))
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	m.provider = provider
	return m, nil
}

func readBlob(config Config) (*metadata.Metadata, error) {
	file, err := os.Open(config.MDSFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	raw, err := io.ReadAll(io.LimitReader(file, maxBlob+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBlob {
		return nil, fmt.Errorf("larger than %d bytes", maxBlob)
	}
	root := config.MDSRoot
	if root == nil {
		der, err := base64.StdEncoding.DecodeString(metadata.ProductionMDSRoot)
		if err != nil {
			return nil, err
		}
		if root, err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	payload, err := openBlob(raw, root, config.Clock())
	if err != nil {
		return nil, err
	}
	decoder, err := metadata.NewDecoder(metadata.WithIgnoreEntryParsingErrors())
	if err != nil {
		return nil, err
	}
	return decoder.Parse(payload)
}

// openBlob verifies a metadata BLOB (FIDO MDS 3, 3.2, steps 5 to 7) without
// touching the network: a JWS in compact form, signed by a certificate for
// blobSigner that chains to root. The library's own decoder asks the
// certificates' revocation addresses, so it is not used.
func openBlob(raw []byte, root *x509.Certificate, now time.Time) (*metadata.PayloadJSON, error) {
	parts := bytes.Split(bytes.TrimSpace(raw), []byte("."))
	if len(parts) != 3 {
		return nil, errors.New("not a JWS in compact form")
	}
	var decoded [3][]byte
	for i, part := range parts {
		decoded[i] = make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
		n, err := base64.RawURLEncoding.Decode(decoded[i], part)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		decoded[i] = decoded[i][:n]
	}
	var header struct {
		Algorithm string   `json:"alg"`
		Chain     [][]byte `json:"x5c"`
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	signer, err := blobChain(header.Chain, root, now)
	if err != nil {
		return nil, err
	}
	signed := raw[bytes.Index(raw, parts[0]):][:len(parts[0])+1+len(parts[1])]
	if err := checkBlobSignature(signer, header.Algorithm, signed, decoded[2]); err != nil {
		return nil, err
	}
	var payload metadata.PayloadJSON
	if err := json.Unmarshal(decoded[1], &payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return &payload, nil
}

func blobChain(chain [][]byte, root *x509.Certificate, now time.Time) (*x509.Certificate, error) {
	if len(chain) == 0 || len(chain) > 8 {
		return nil, fmt.Errorf("%d certificates in the header", len(chain))
	}
	certificates := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		certificates[i] = certificate
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, certificate := range certificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := certificates[0].Verify(x509.VerifyOptions{
		DNSName: blobSigner, Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	return certificates[0], nil
}

// checkBlobSignature accepts the two algorithms that the metadata service has
// used, and each only with its own kind of key.
func checkBlobSignature(signer *x509.Certificate, algorithm string, signed, signature []byte) error {
	switch key := signer.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if algorithm != "ES256" || len(signature) != 64 {
			return fmt.Errorf("algorithm %q does not fit the signer's key", algorithm)
		}
		digest := sha256.Sum256(signed)
		if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return errors.New("signature does not verify")
		}
		return nil
	default:
		if algorithm != "RS256" {
			return fmt.Errorf("algorithm %q does not fit the signer's key", algorithm)
		}
		return signer.CheckSignature(x509.SHA256WithRSA, signed, signature)
	}
}

// entry returns what the metadata says of a model, or nil.
func (m *models) entry(ctx context.Context, aaguid uuid.UUID) *metadata.Entry {
	entry, err := m.provider.GetEntry(ctx, aaguid)
	if err != nil {
		return nil
	}
	return entry
}
