package tpm

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// imaEntryOf is an entry as the kernel writes it; the original template has a
// digest and no length before its data.
func imaEntryOf(name string, size int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 10)
	b = append(b, bytes.Repeat([]byte{1}, 20)...)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(name))), name...)
	if name == imaOriginal {
		b = append(b, bytes.Repeat([]byte{2}, 20)...)
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(size)), bytes.Repeat([]byte{3}, size)...)
}

func TestIMAPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if piece, err := IMA(path, 0); piece != nil || err != nil {
		t.Errorf("a kernel without IMA: %+v, %v", piece, err)
	}
	entries := [][]byte{imaEntryOf("ima-ng", 80), imaEntryOf("ima", 9), imaEntryOf("ima-sig", 0), imaEntryOf("ima-ng", 4)}
	list := bytes.Join(entries, nil)
	write(t, path, list)
	for from := range len(entries) + 2 {
		piece, err := IMA(path, from)
		if err != nil || piece.From != from || piece.More || !bytes.Equal(piece.Log, bytes.Join(entries[min(from, len(entries)):], nil)) {
			t.Errorf("from %d: %+v, %v", from, piece, err)
		}
	}
	for cut := 1; cut < len(list); cut++ {
		at := 0
		for _, e := range entries {
			if at += len(e); at >= cut {
				break
			}
		}
		write(t, path, list[:cut])
		if _, err := IMA(path, 0); (err == nil) != (at == cut) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestIMAPiecesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	entry := imaEntryOf("ima-ng", 60<<10)
	const entries = 20
	write(t, path, bytes.Repeat(entry, entries))
	read := 0
	for more := true; more; {
		piece, err := IMA(path, read)
		if err != nil || len(piece.Log) > wire.MaxIMABytes || len(piece.Log)%len(entry) != 0 || len(piece.Log) == 0 {
			t.Fatalf("%d bytes, %v", len(piece.Log), err)
		}
		read, more = read+len(piece.Log)/len(entry), piece.More
	}
	if read != entries {
		t.Errorf("%d entries", read)
	}
	for name, bad := range map[string][]byte{
		"a long name":   binary.LittleEndian.AppendUint32(make([]byte, 24), maxIMAName+1),
		"a large entry": imaEntryOf("ima-ng", maxIMAEntry+1),
	} {
		write(t, path, append(bad, make([]byte, 1<<10)...))
		if _, err := IMA(path, 0); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
