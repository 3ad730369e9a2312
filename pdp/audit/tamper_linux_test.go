package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written makes a log of several segments, closed or as a crash leaves it.
func written(t *testing.T, clean bool) string {
	t.Helper()
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 2 << 10
	l := openLog(t, dir, options)
	for i := range 40 {
		appendOne(t, l, decision(fmt.Sprintf("number %02d", i)))
	}
	if clean {
		closeLog(t, l)
		return dir
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// lines returns a segment's lines with their ends.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.SplitAfter(raw, []byte("\n"))
	return all[:len(all)-1]
}

func rewrite(t *testing.T, path string, all [][]byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Join(all, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func segmentPaths(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(paths) < 4 {
		t.Fatal(paths, err)
	}
	return paths
}

// wantBreak expects a break, in a file and line where they are given.
func wantBreak(t *testing.T, err error, file string, line int, why string) {
	t.Helper()
	var broken *BreakError
	if !errors.As(err, &broken) {
		t.Fatalf("not found: %v", err)
	}
	if file != "" && broken.File != filepath.Base(file) || line != 0 && broken.Line != line || !strings.Contains(broken.Why, why) {
		t.Fatalf("found %v, want %s line %d: %s", broken, filepath.Base(file), line, why)
	}
	if broken.Reason().Code == "" {
		t.Error("no reason code")
	}
}

// forged continues a chain as somebody would who knows how to.
func forged(t *testing.T, after []byte, id string) []byte {
	t.Helper()
	e, hash, err := parseLine(bytes.TrimSuffix(after, []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	record, err := encode(decision(id))
	if err != nil {
		t.Fatal(err)
	}
	line, _ := appendLine(nil, position{seq: e.Sequence, hash: hash, at: e.At}, e.At, e.Synced, record)
	return line
}

func TestVerifyFindsTampering(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, dir string, paths []string) (file string, line int)
		why    string
	}{
		{"flipped byte in a record", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			all[2] = bytes.Replace(all[2], []byte("number"), []byte("numbes"), 1)
			rewrite(t, paths[1], all)
			return paths[1], 3
		}, "own hash"},
		{"flipped byte in a hash", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[0])
			all[1][len(all[1])-5] ^= 1
			rewrite(t, paths[0], all)
			return paths[0], 2
		}, "own hash"},
		{"record changed and hash computed anew", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			all[2] = forged(t, all[1], "another")
			rewrite(t, paths[1], all)
			return paths[1], 4
		}, "does not continue"},
		{"removed line", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			rewrite(t, paths[1], append(all[:2:2], all[3:]...))
			return paths[1], 3
		}, "sequence"},
		{"swapped lines", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			all[1], all[2] = all[2], all[1]
			rewrite(t, paths[1], all)
			return paths[1], 2
		}, "sequence"},
		{"inserted line", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			rewrite(t, paths[1], append(all[:2:2], append([][]byte{forged(t, all[1], "more")}, all[2:]...)...))
			return paths[1], 4
		}, "sequence"},
		{"doubled line", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			rewrite(t, paths[1], append(all[:2:2], all[1:]...))
			return paths[1], 3
		}, "sequence"},
		{"empty line", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			rewrite(t, paths[1], append(all[:2:2], append([][]byte{[]byte("\n")}, all[2:]...)...))
			return paths[1], 3
		}, "own hash"},
		{"lost line end", func(t *testing.T, _ string, paths []string) (string, int) {
			all := lines(t, paths[1])
			all[2] = bytes.TrimSuffix(all[2], []byte("\n"))
			rewrite(t, paths[1], all)
			return paths[1], 3
		}, "own hash"},
		{"removed middle segment", func(t *testing.T, _ string, paths []string) (string, int) {
			remove(t, paths[1])
			return paths[2], 0
		}, "missing before it"},
		{"removed first segment", func(t *testing.T, _ string, paths []string) (string, int) {
			remove(t, paths[0])
			return paths[1], 0
		}, "entries 1 to"},
		{"removed last segment", func(t *testing.T, _ string, paths []string) (string, int) {
			remove(t, paths[len(paths)-1])
			return headFile, 0
		}, "are missing"},
		{"last line cut off", func(t *testing.T, _ string, paths []string) (string, int) {
			last := paths[len(paths)-1]
			all := lines(t, last)
			rewrite(t, last, all[:len(all)-1])
			return headFile, 0
		}, "are missing"},
		{"last line cut in two", func(t *testing.T, _ string, paths []string) (string, int) {
			last := paths[len(paths)-1]
			all := lines(t, last)
			n := len(all)
			all[n-1] = all[n-1][:20]
			rewrite(t, last, all)
			return last, n
		}, "incomplete"},
		{"last line replaced", func(t *testing.T, _ string, paths []string) (string, int) {
			last := paths[len(paths)-1]
			all := lines(t, last)
			n := len(all)
			all[n-1] = forged(t, all[n-2], "another")
			rewrite(t, last, all)
			return last, n
		}, "head vouches for"},
		{"line added at the end", func(t *testing.T, _ string, paths []string) (string, int) {
			last := paths[len(paths)-1]
			all := lines(t, last)
			rewrite(t, last, append(all, forged(t, all[len(all)-1], "more")))
			return headFile, 0
		}, "goes on"},
		{"all segments removed", func(t *testing.T, _ string, paths []string) (string, int) {
			for _, path := range paths {
				remove(t, path)
			}
			return headFile, 0
		}, "are missing"},
		{"segment cut empty", func(t *testing.T, _ string, paths []string) (string, int) {
			rewrite(t, paths[1], nil)
			return paths[2], 0
		}, "missing before it"},
		{"segment renamed", func(t *testing.T, dir string, paths []string) (string, int) {
			to := filepath.Join(dir, segmentName(2))
			if err := os.Rename(paths[1], to); err != nil {
				t.Fatal(err)
			}
			return "", 0
		}, ""},
		{"head removed", func(t *testing.T, dir string, _ []string) (string, int) {
			remove(t, filepath.Join(dir, headFile))
			return headFile, 0
		}, "missing"},
		{"head garbled", func(t *testing.T, dir string, _ []string) (string, int) {
			rewrite(t, filepath.Join(dir, headFile), [][]byte{make([]byte, 2*slotBytes)})
			return headFile, 0
		}, "neither slot"},
		{"head cut short", func(t *testing.T, dir string, _ []string) (string, int) {
			rewrite(t, filepath.Join(dir, headFile), [][]byte{make([]byte, slotBytes)})
			return headFile, 0
		}, "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t, true)
			if _, err := Verify(dir); err != nil {
				t.Fatalf("before: %v", err)
			}
			file, line := c.tamper(t, dir, segmentPaths(t, dir))
			_, err := Verify(dir)
			wantBreak(t, err, file, line, c.why)
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyFindsEveryFlippedBit flips each byte of a small log, one after the
// other. The slot of the head that is not the newest protects nothing, and
// neither does the blank rest of a slot.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	appendOne(t, l, decision("one"))
	closeLog(t, l)
	path := filepath.Join(dir, segmentName(1))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 0x04
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(dir); err == nil {
			t.Errorf("byte %d of %d", i, len(raw))
		}
		raw[i] ^= 0x04
	}
}

func TestOpenRefusesABrokenEndAndLeavesItAlone(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, dir string, paths []string){
		"last segment removed":   func(t *testing.T, _ string, paths []string) { remove(t, paths[len(paths)-1]) },
		"head removed":           func(t *testing.T, dir string, _ []string) { remove(t, filepath.Join(dir, headFile)) },
		"everything but head":    func(t *testing.T, _ string, paths []string) { each(t, paths, remove) },
		"middle of last segment": func(t *testing.T, _ string, paths []string) { flipLine(t, paths[len(paths)-1], 0) },
		"last line":              func(t *testing.T, _ string, paths []string) { flipLine(t, paths[len(paths)-1], -1) },
		"last line of the segment before": func(t *testing.T, _ string, paths []string) {
			flipLine(t, paths[len(paths)-2], -1)
		},
		"line end of the segment before": func(t *testing.T, _ string, paths []string) {
			all := lines(t, paths[len(paths)-2])
			n := len(all)
			all[n-1] = bytes.TrimSuffix(all[n-1], []byte("\n"))
			rewrite(t, paths[len(paths)-2], all)
		},
		"last line removed": func(t *testing.T, _ string, paths []string) {
			all := lines(t, paths[len(paths)-1])
			rewrite(t, paths[len(paths)-1], all[:len(all)-1])
		},
		"line added": func(t *testing.T, _ string, paths []string) {
			all := lines(t, paths[len(paths)-1])
			rewrite(t, paths[len(paths)-1], append(all, forged(t, all[len(all)-1], "more")))
		},
		"last line replaced": func(t *testing.T, _ string, paths []string) {
			all := lines(t, paths[len(paths)-1])
			all[len(all)-1] = forged(t, all[len(all)-2], "another")
			rewrite(t, paths[len(paths)-1], all)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, true)
			tamper(t, dir, segmentPaths(t, dir))
			before := digestOf(t, dir)
			l, err := Open(dir, small())
			if err == nil {
				_ = l.Close()
			}
			wantBreak(t, err, "", 0, "")
			if digestOf(t, dir) != before {
				t.Error("the evidence was changed")
			}
		})
	}
}

func each(t *testing.T, paths []string, f func(*testing.T, string)) {
	t.Helper()
	for _, path := range paths {
		f(t, path)
	}
}

// flipLine changes a byte of a line, counted from the end if negative.
func flipLine(t *testing.T, path string, n int) {
	t.Helper()
	all := lines(t, path)
	if n < 0 {
		n += len(all)
	}
	all[n][10] ^= 1
	rewrite(t, path, all)
}

// digestOf reads the segments and the head; a lock may come and go.
func digestOf(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == lockFile || f.Name() == reserveFile {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", f.Name(), raw)
	}
	return all.String()
}

// TestARewrittenLogNeedsTheKey forges a whole log that is sound in itself, head
// and all: without a key nothing can tell, with one the signature does.
func TestARewrittenLogNeedsTheKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, thief, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	options := small()
	options.Key = private
	l := openLog(t, dir, options)
	appendOne(t, l, decision("true"))
	closeLog(t, l)
	s, err := VerifySigned(dir, public)
	if err != nil || !s.Signed {
		t.Fatalf("%+v, %v", s, err)
	}

	for name, key := range map[string]ed25519.PrivateKey{"unsigned": nil, "signed by somebody else": thief} {
		t.Run(name, func(t *testing.T) {
			forgery := t.TempDir()
			other := small()
			other.Key = key
			l := openLog(t, forgery, other)
			appendOne(t, l, decision("false"))
			closeLog(t, l)
			if _, err := Verify(forgery); err != nil {
				t.Fatal(err)
			}
			_, err := VerifySigned(forgery, public)
			wantBreak(t, err, headFile, 0, "not signed")
			_, err = Open(forgery, options)
			wantBreak(t, err, headFile, 0, "not signed")
		})
	}
	openLog(t, dir, options)
}

func FuzzLine(f *testing.F) {
	record, err := encode(decision("seed"))
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2025, 11, 22, 1, 2, 3, 456, time.UTC)
	line, p := appendLine(nil, position{}, at, 0, record)
	f.Add(line)
	next, _ := appendLine(nil, p, at, 1, record)
	f.Add(next)
	f.Add(bytes.Replace(line, []byte(`"seq"`), []byte(`"Seq"`), 1))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, hash, err := parseLine(bytes.TrimSuffix(raw, []byte("\n")))
		if err != nil {
			return
		}
		if e.Hash != hex.EncodeToString(hash[:]) {
			t.Fatalf("%+v was accepted under the hash %x", e, hash)
		}
	})
}
