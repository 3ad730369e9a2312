package verifier_test

import (
	"os"
	"path/filepath"
	"testing"
)

// stateFile is where a software TPM keeps what survives a power cut.
func stateFile(b *bench) string { return filepath.Join(b.dir, "tpm2-00.permall") }

func readState(t *testing.T, b *bench) []byte {
	t.Helper()
	state, err := os.ReadFile(stateFile(b))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func writeState(t *testing.T, b *bench, state []byte) {
	t.Helper()
	if err := os.WriteFile(stateFile(b), state, 0o600); err != nil {
		t.Fatal(err)
	}
}
