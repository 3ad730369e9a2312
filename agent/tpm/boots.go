package tpm

import "github.com/google/go-tpm/tpm2"

// Boots tells one boot of the machine from another, and a time before it slept
// from one after.
type Boots struct{ Reset, Restart uint32 }

// Boots reads the TPM's counters (TPM 2.0 part 3, 29.1).
func (t *TPM) Boots() (Boots, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return Boots{}, ErrClosed
	}
	answer, err := tpm2.ReadClock{}.Execute(t.connection)
	if err != nil {
		return Boots{}, explain("reading the clock", err)
	}
	info := answer.CurrentTime.ClockInfo
	return Boots{info.ResetCount, info.RestartCount}, nil
}
