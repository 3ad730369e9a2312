package recorded

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	saltSize = 16
	// maxCanonical and maxBox bound inputs before and after packing; a box of
	// that size fits into an audit record beside its detail.
	maxCanonical = 1 << 20
	maxBox       = 48 << 10
)

// Seal packs and encrypts what a decision about person, recorded by agency, was
// computed from.
func (k *Keeper) Seal(ctx context.Context, agency, person, decision string, canonical []byte) (wire.SealedInputs, error) {
	if len(canonical) > maxCanonical {
		return wire.SealedInputs{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(canonical))
	}
	who := owner{agency, person}
	key, err := k.key(ctx, who)
	if err != nil {
		return wire.SealedInputs{}, err
	}
	packed, err := deflate.PackQuickly(canonical)
	if err != nil {
		return wire.SealedInputs{}, err
	}
	if len(packed) > maxBox {
		return wire.SealedInputs{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(packed))
	}
	box := make([]byte, saltSize, saltSize+len(packed)+16)
	if _, err := io.ReadFull(k.config.Random, box); err != nil {
		return wire.SealedInputs{}, fmt.Errorf("recorded: drawing a salt: %w", err)
	}
	aead, err := key.aead(box)
	if err != nil {
		return wire.SealedInputs{}, err
	}
	box = aead.Seal(box, zeroNonce[:], packed, about(who, key.name, decision)) // #nosec G407 -- every record has a key of its own
	return wire.SealedInputs{Key: key.name, Box: box}, nil
}

// Open returns what Seal was given, ErrErased where the key is gone, or
// ErrForged.
func (k *Keeper) Open(ctx context.Context, agency, person, decision string, sealed wire.SealedInputs) ([]byte, error) {
	if len(sealed.Box) < saltSize || len(sealed.Box) > saltSize+maxBox+16 {
		return nil, ErrForged
	}
	who := owner{agency, person}
	key, err := k.named(ctx, who, sealed.Key)
	if err != nil {
		return nil, err
	}
	aead, err := key.aead(sealed.Box[:saltSize])
	if err != nil {
		return nil, err
	}
	packed, err := aead.Open(nil, zeroNonce[:], sealed.Box[saltSize:], about(who, key.name, decision))
	if err != nil {
		return nil, ErrForged
	}
	return deflate.Unpack(packed, maxCanonical)
}

// The nonce may be constant because every record has a key of its own.
var zeroNonce [12]byte

func (p *personKey) aead(salt []byte) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, p.secret[:], salt, "menshen/recorded-inputs/v1", 32)
	if err != nil {
		return nil, fmt.Errorf("recorded: deriving: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("recorded: %w", err)
	}
	return cipher.NewGCM(block)
}

// about is what a box is bound to. None of the parts holds a line end.
func about(who owner, key, decision string) []byte {
	return []byte(strings.Join([]string{"menshen/recorded-inputs/v1", who.agency, who.person, key, decision}, "\n"))
}
