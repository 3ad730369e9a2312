package quote

import "errors"

// Errors, one for each thing that a forger can get wrong.
var (
	// ErrKey says that the pinned key is not an AK of the one kind accepted.
	ErrKey = errors.New("quote: the pinned attestation key is not one that is accepted")
	// ErrMalformed says that bytes are not one whole structure and nothing else.
	ErrMalformed = errors.New("quote: malformed structure")
	// ErrAlgorithm says that the signature is not of the pinned algorithm.
	ErrAlgorithm = errors.New("quote: another signature algorithm than the pinned one")
	// ErrSignature says that the pinned key did not sign this.
	ErrSignature = errors.New("quote: signature not by the pinned key")
	// ErrMagic says that the structure does not say that a TPM made it.
	ErrMagic = errors.New("quote: not made by a TPM")
	// ErrType says that it is another attestation than the one asked for.
	ErrType = errors.New("quote: another type of attestation")
	// ErrExtraData says that it was not made for this nonce, these claims and
	// this TLS key.
	ErrExtraData = errors.New("quote: made for something else")
	// ErrSigner says that the signer's Qualified Name is not the pinned one.
	ErrSigner = errors.New("quote: signer of another name or hierarchy")
	// ErrSelection says that other PCRs or banks were quoted.
	ErrSelection = errors.New("quote: not the PCRs and the bank asked for")
	// ErrPCRs says that the PCR values that came with the quote are not whole
	// and in order.
	ErrPCRs = errors.New("quote: PCR values not whole and in order")
	// ErrDigest says that the PCR values are not those quoted.
	ErrDigest = errors.New("quote: PCR values differ from those quoted")
)
