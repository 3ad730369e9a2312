package ceremony

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/google/uuid"
)

// A maker of security keys with a CA of its own, and software keys that it
// attests: for trust tests, where a real key cannot be made to lie.
type maker struct {
	rootKey, batchKey *ecdsa.PrivateKey
	root              *x509.Certificate
	interDER          []byte
	interKey          *ecdsa.PrivateKey
	aaguid            uuid.UUID
	batchDER          []byte
}

var serial int64

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificate(t testing.TB, template, parent *x509.Certificate, public any, signer *ecdsa.PrivateKey) ([]byte, *x509.Certificate) {
	t.Helper()
	serial++
	template.SerialNumber = big.NewInt(serial)
	template.NotBefore, template.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return der, parsed
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{"Test Maker"}, Country: []string{"TW"}},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	m := &maker{rootKey: newECKey(t), interKey: newECKey(t), batchKey: newECKey(t), aaguid: uuid.New()}
	rootTemplate := authority("Test Maker Root")
	_, m.root = certificate(t, rootTemplate, rootTemplate, m.rootKey.Public(), m.rootKey)
	var inter *x509.Certificate
	m.interDER, inter = certificate(t, authority("Test Maker Keys"), m.root, m.interKey.Public(), m.rootKey)
	m.batchDER, _ = certificate(t, m.batchTemplate(), inter, m.batchKey.Public(), m.interKey)
	return m
}

// batchTemplate is an attestation certificate's (WebAuthn 3, 8.2.1).
func (m *maker) batchTemplate() *x509.Certificate {
	value, _ := asn1.Marshal(m.aaguid[:])
	return &x509.Certificate{
		Subject: pkix.Name{
			CommonName: "Test Maker Batch 1", Organization: []string{"Test Maker"}, Country: []string{"TW"},
			OrganizationalUnit: []string{"Authenticator Attestation"},
		},
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: value}},
	}
}

// entry is the maker's entry in the metadata, as JSON members.
func (m *maker) entry() map[string]any {
	return map[string]any{
		"aaguid":                 m.aaguid.String(),
		"timeOfLastStatusChange": "2024-01-01",
		"statusReports":          []map[string]any{{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2024-01-01"}},
		"metadataStatement": map[string]any{
			"aaguid": m.aaguid.String(), "description": "Test Maker Key 5", "protocolFamily": "fido2", "schema": 3,
			"attestationTypes": []string{"basic_full"}, "keyProtection": []string{"hardware", "secure_element"},
			"authenticationAlgorithms":    []string{"secp256r1_ecdsa_sha256_raw"},
			"attestationRootCertificates": []string{base64.StdEncoding.EncodeToString(m.root.Raw)},
			"authenticatorGetInfo":        map[string]any{"versions": []string{"FIDO_2_1"}, "aaguid": m.aaguid.String()},
		},
	}
}

// softKey is one software key with one credential.
type softKey struct {
	*maker
	key          *ecdsa.PrivateKey
	credentialID []byte
	userHandle   []byte
	count        uint32
}

const (
	flagPresent  = 0x01
	flagVerified = 0x04
	flagBE       = 0x08
	flagBS       = 0x10
	flagAttested = 0x40
)

// forgery is what a test may change in an honest answer.
type forgery struct {
	Type, Challenge, Origin, RPID string
	CrossOrigin                   bool
	Flags                         byte
	Count                         uint32
	AAGUID                        uuid.UUID
	Format                        string
	Chain                         [][]byte // nil: no x5c, as in self attestation
	Signer                        *ecdsa.PrivateKey
	UserHandle                    []byte
}

func (m *maker) newKey(t testing.TB) *softKey {
	t.Helper()
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		t.Fatal(err)
	}
	return &softKey{maker: m, key: newECKey(t), credentialID: id}
}

func clientData(t testing.TB, f forgery) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"type": f.Type, "challenge": f.Challenge, "origin": f.Origin, "crossOrigin": f.CrossOrigin})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func authData(f forgery, attested []byte) []byte {
	rpID := sha256.Sum256([]byte(f.RPID))
	var b bytes.Buffer
	b.Write(rpID[:])
	b.WriteByte(f.Flags)
	_ = binary.Write(&b, binary.BigEndian, f.Count)
	b.Write(attested)
	return b.Bytes()
}

func (k *softKey) cose(t testing.TB) []byte {
	t.Helper()
	public, err := k.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return mustCBOR(t, map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
}

func mustCBOR(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := webauthncbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func sign(t testing.TB, key *ecdsa.PrivateKey, parts ...[]byte) []byte {
	t.Helper()
	digest := sha256.Sum256(bytes.Join(parts, nil))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// create answers a registration's options, after the test's changes.
func (k *softKey) create(t testing.TB, challenge string, userHandle []byte, change func(*forgery)) credentialRequest {
	t.Helper()
	f := forgery{
		Type: "webauthn.create", Challenge: challenge, Origin: testOrigin, RPID: testRPID, Flags: flagPresent | flagVerified | flagAttested,
		AAGUID: k.aaguid, Format: "packed", Chain: [][]byte{k.batchDER, k.interDER}, Signer: k.batchKey,
	}
	if change != nil {
		change(&f)
	}
	k.userHandle, k.count = userHandle, f.Count
	attested := append([]byte{}, f.AAGUID[:]...)
	attested = binary.BigEndian.AppendUint16(attested, uint16(len(k.credentialID)))
	attested = append(append(attested, k.credentialID...), k.cose(t)...)
	data, client := authData(f, attested), clientData(t, f)
	statement := map[string]any{}
	if f.Format != "none" {
		hash := sha256.Sum256(client)
		statement["alg"], statement["sig"] = -7, sign(t, f.Signer, data, hash[:])
		if f.Chain != nil {
			statement["x5c"] = f.Chain
		}
	}
	object := mustCBOR(t, map[string]any{"fmt": f.Format, "authData": data, "attStmt": statement})
	return credentialRequest{ID: encode(k.credentialID), ClientDataJSON: encode(client), AttestationObject: encode(object), Transports: []string{"usb"}}
}

// get answers a sign-in's options, after the test's changes.
func (k *softKey) get(t testing.TB, challenge string, change func(*forgery)) keyRequest {
	t.Helper()
	k.count++
	f := forgery{
		Type: "webauthn.get", Challenge: challenge, Origin: testOrigin, RPID: testRPID,
		Flags: flagPresent | flagVerified, Count: k.count, Signer: k.key, UserHandle: k.userHandle,
	}
	if change != nil {
		change(&f)
	}
	data, client := authData(f, nil), clientData(t, f)
	hash := sha256.Sum256(client)
	var request keyRequest
	request.Credential.ID = encode(k.credentialID)
	request.Credential.ClientDataJSON, request.Credential.AuthenticatorData = encode(client), encode(data)
	request.Credential.Signature, request.Credential.UserHandle = encode(sign(t, f.Signer, data, hash[:])), encode(f.UserHandle)
	return request
}

// blob is a metadata BLOB under a root of its own.
type blob struct {
	root    *x509.Certificate
	rootKey *ecdsa.PrivateKey
	signer  *ecdsa.PrivateKey
	chain   [][]byte
	name    string
	header  map[string]any
	payload map[string]any
}

func newBlob(t testing.TB, entries ...map[string]any) *blob {
	t.Helper()
	b := &blob{rootKey: newECKey(t), signer: newECKey(t), name: blobSigner}
	template := authority("Test MDS Root")
	_, b.root = certificate(t, template, template, b.rootKey.Public(), b.rootKey)
	b.header = map[string]any{"alg": "ES256", "typ": "JWT"}
	b.payload = map[string]any{"legalHeader": "test", "no": 1, "nextUpdate": "2099-01-01", "entries": entries}
	return b
}

func (b *blob) sign(t testing.TB) []byte {
	t.Helper()
	interKey := newECKey(t)
	interDER, inter := certificate(t, authority("Test MDS CA"), b.root, interKey.Public(), b.rootKey)
	leafDER, _ := certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: b.name}, DNSNames: []string{b.name}}, inter, b.signer.Public(), interKey)
	if b.chain == nil {
		b.chain = [][]byte{leafDER, interDER}
	}
	b.header["x5c"] = b.chain
	header, err := json.Marshal(b.header)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(b.payload)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, b.signer, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return []byte(signed + "." + encode(signature))
}
