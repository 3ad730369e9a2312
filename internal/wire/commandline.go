package wire

import (
	"crypto/sha256"
	"strings"
)

// GeneralCommandLine returns what of a kernel's command line is the same on
// every machine of a kind: without the kernel's own path, which changes with
// every update, and with each UUID, which is a machine's own, put as "*". All
// else stays, so that init=/bin/sh or a parameter that is gone still shows.
//
// The identity of a file system proves nothing that is lost here: whoever can
// change the disk can give his file system any UUID.
func GeneralCommandLine(line string) string {
	words := strings.Fields(line)
	if len(words) > 0 && isKernelPath(words[0]) {
		words = words[1:]
	}
	for i, word := range words {
		words[i] = generalWord(word)
	}
	return strings.Join(words, " ")
}

// GeneralCommandLineDigest is the digest by which reference values know a
// command line in its general form.
func GeneralCommandLineDigest(line string) [sha256.Size]byte {
	return sha256.Sum256([]byte("menshen/command-line/v1\x00" + GeneralCommandLine(line)))
}

// isKernelPath reports whether a word is where a boot loader found the kernel:
// "/vmlinuz-6.1" or "(hd0,gpt2)/vmlinuz-6.1".
func isKernelPath(word string) bool {
	if strings.HasPrefix(word, "(") {
		_, word, _ = strings.Cut(word, ")")
	}
	return strings.HasPrefix(word, "/") && !strings.Contains(word, "=")
}

// generalWord puts "*" for each UUID in a word.
func generalWord(word string) string {
	var out strings.Builder
	for i := 0; i < len(word); {
		if n := uuidAt(word, i); n > 0 {
			out.WriteByte('*')
			i += n
			continue
		}
		out.WriteByte(word[i])
		i++
	}
	return out.String()
}

const uuidShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// uuidAt returns the length of the UUID that stands alone at i, else 0.
func uuidAt(word string, i int) int {
	if i > 0 && isHex(word[i-1]) || len(word)-i < len(uuidShape) {
		return 0
	}
	for j := range len(uuidShape) {
		if c := word[i+j]; uuidShape[j] == '-' && c != '-' || uuidShape[j] == 'x' && !isHex(c) {
			return 0
		}
	}
	if end := i + len(uuidShape); end < len(word) && (isHex(word[end]) || word[end] == '-') {
		return 0
	}
	return len(uuidShape)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
