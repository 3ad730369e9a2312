package softkey

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
)

// SecretSize is that of the secret, in bytes.
const SecretSize = 32

// CredentialName is the secret's name among systemd's credentials
// (systemd.exec(5), Credentials).
const CredentialName = "menshen-agent-secret" // #nosec G101 -- a name, no credential

// Secret opens the keys. It never reaches a log.
type Secret struct{ bytes [SecretSize]byte }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// SecretFile is where the secret lies: at path, or where that is empty in
// systemd's folder of credentials; empty if there is none.
func SecretFile(path, credentials string) string {
	if path == "" && credentials != "" {
		return filepath.Join(credentials, CredentialName)
	}
	return path
}

// ReadSecret reads the secret: exactly 32 bytes that only the file's owner can
// read. In systemd's folder, which no other user enters, the group's bit only
// stands for the access list that lets the service's user in.
func ReadSecret(path, credentials string) (Secret, error) {
	var s Secret
	file := SecretFile(path, credentials)
	if file == "" {
		return s, fmt.Errorf("%w: neither a file nor a credential is named", ErrSecret)
	}
	opened, err := os.Open(file) // #nosec G304 -- the configured file
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	foreign := fs.FileMode(0o077)
	if path == "" {
		foreign = 0o037
	}
	// On Windows the folder's access list decides, and a mode tells nothing.
	if runtime.GOOS != "windows" && info.Mode().Perm()&foreign != 0 {
		return s, fmt.Errorf("%w: %s has mode %04o, 0600 is needed", ErrSecret, file, info.Mode().Perm())
	}
	if !info.Mode().IsRegular() || info.Size() != SecretSize {
		return s, fmt.Errorf("%w: %s is not a file of %d bytes", ErrSecret, file, SecretSize)
	}
	if _, err := io.ReadFull(opened, s.bytes[:]); err != nil {
		return Secret{}, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	if s == (Secret{}) {
		return s, fmt.Errorf("%w: %s holds zeros", ErrSecret, file)
	}
	return s, nil
}
