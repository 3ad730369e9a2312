package tpm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/menshen-zt/menshen/internal/wire"
)

// DefaultIMAList is where Linux shows what it measured at run time, in binary.
const DefaultIMAList = "/sys/kernel/security/ima/binary_runtime_measurements"

// Bounds of a run-time measurement list.
const (
	maxIMAList  = 64 << 20
	maxIMAName  = 32
	maxIMAEntry = 64 << 10
)

// imaHeader is an entry's fixed beginning: PCR, SHA-1 of the template's data, and
// the length of the template's name.
const imaHeader = 4 + 20 + 4

// imaOriginal is the one template whose data has no length before it.
const imaOriginal = "ima"

// IMA reads the whole entries of the kernel's run-time measurement list from the
// entry with that number on, as many as fit in a piece of Evidence. A kernel
// without IMA gives none, which is not an error.
func IMA(path string, from int) (*wire.IMAPiece, error) {
	file, err := os.Open(path) // #nosec G304 -- the configured path of a kernel file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: IMA list: %w", err)
	}
	defer func() { _ = file.Close() }()
	list := bufio.NewReaderSize(io.LimitReader(file, maxIMAList), 64<<10)
	piece := &wire.IMAPiece{From: from}
	for count := 0; ; count++ {
		entry, err := imaEntry(list)
		switch {
		case errors.Is(err, io.EOF):
			return piece, nil
		case err != nil:
			return nil, fmt.Errorf("tpm: IMA list, entry %d: %w", count, err)
		case count < from:
		case len(piece.Log)+len(entry) > wire.MaxIMABytes:
			piece.More = true
			return piece, nil
		default:
			piece.Log = append(piece.Log, entry...)
		}
	}
}

var errIMAEntry = errors.New("an entry that no kernel writes")

// imaEntry reads one entry as it is; io.EOF at the end of the list.
func imaEntry(list *bufio.Reader) ([]byte, error) {
	entry, err := list.Peek(imaHeader)
	if len(entry) == 0 && err != nil {
		return nil, err
	}
	if entry, err = take(nil, list, imaHeader, imaHeader); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(entry[imaHeader-4:])
	if entry, err = take(entry, list, length, maxIMAName); err != nil {
		return nil, err
	}
	if string(entry[imaHeader:]) == imaOriginal {
		if entry, err = take(entry, list, 20, 20); err != nil { // the file's SHA-1
			return nil, err
		}
	}
	if entry, err = take(entry, list, 4, 4); err != nil {
		return nil, err
	}
	return take(entry, list, binary.LittleEndian.Uint32(entry[len(entry)-4:]), maxIMAEntry)
}

// take appends the next length bytes.
func take(entry []byte, list io.Reader, length, most uint32) ([]byte, error) {
	if length > most {
		return nil, errIMAEntry
	}
	part := make([]byte, length)
	if _, err := io.ReadFull(list, part); err != nil {
		return nil, errIMAEntry
	}
	return append(entry, part...), nil
}
