package tpm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/menshen-zt/menshen/internal/wire"
)

// DefaultEventLog is where Linux shows the firmware's TCG event log.
const DefaultEventLog = "/sys/kernel/security/tpm0/binary_bios_measurements"

// EventLog reads the firmware's event log. A machine without one gives none,
// which is not an error; one that is longer than Evidence may carry is.
func EventLog(path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the configured path of a kernel file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: event log: %w", err)
	}
	defer file.Close()
	// The kernel reports a size of zero, so the file is read to its end.
	log, err := io.ReadAll(io.LimitReader(file, wire.MaxEventLogBytes+1))
	if err != nil {
		return nil, fmt.Errorf("tpm: event log: %w", err)
	}
	if len(log) > wire.MaxEventLogBytes {
		return nil, fmt.Errorf("tpm: event log %s is longer than %d bytes", path, wire.MaxEventLogBytes)
	}
	return log, nil
}
