package firmware

import (
	"context"
	"errors"
	"os"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/menshen-zt/menshen/internal/swtpm"
)

// Shutdown tells the TPM that the power goes, as an operating system does: a TPM
// that is not told counts it as an attempt to guess (TPM 2.0 part 1, 19.8.6).
func Shutdown(t transport.TPM) error {
	_, err := tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(t)
	return err
}

// PowerOn switches the software TPM off and on again, boots the machine on it,
// and leaves the log in a file as the kernel would, unless file is empty.
func PowerOn(ctx context.Context, chip *swtpm.TPM, m Machine, file string) (log []byte, err error) {
	if err := At(chip, Shutdown); err != nil {
		return nil, err
	}
	if err := chip.Restart(ctx); err != nil {
		return nil, err
	}
	err = At(chip, func(t transport.TPM) error {
		log, err = Boot(t, m)
		return err
	})
	if err == nil && file != "" {
		err = os.WriteFile(file, log, 0o644) // #nosec G306 -- as readable as securityfs lets the agent's group read it
	}
	return log, err
}

// At does something on a software TPM.
func At(chip *swtpm.TPM, do func(transport.TPM) error) error {
	t, err := linuxudstpm.Open(chip.Socket())
	if err != nil {
		return err
	}
	return errors.Join(do(t), t.Close())
}
