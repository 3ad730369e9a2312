//go:build linux

package swtpm

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CA is a local CA that issues EK certificates: a root and an issuing CA.
type CA struct{ dir string }

// NewCA prepares a CA that keeps its keys and certificates in dir, an absolute
// path that need not exist yet. The certificates appear with the first TPM.
func NewCA(dir string) (*CA, error) {
	if !filepath.IsAbs(dir) || strings.ContainsAny(dir, " \t\n") {
		return nil, fmt.Errorf("swtpm: CA directory %q must be absolute and without spaces", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	tool, err := exec.LookPath("swtpm_localca")
	if err != nil {
		return nil, fmt.Errorf("swtpm: install swtpm-tools: %w", err)
	}
	c := &CA{dir: dir}
	files := map[string][]string{
		c.path("setup.conf"): {
			"create_certs_tool = " + tool,
			"create_certs_tool_config = " + c.path("localca.conf"),
			"create_certs_tool_options = " + c.path("localca.options"),
			"active_pcr_banks = sha256",
		},
		c.path("localca.conf"): {
			"statedir = " + dir,
			"signingkey = " + c.path("issuer-key.pem"),
			"issuercert = " + c.Issuer(),
			"certserial = " + c.path("serial"),
		},
		c.path("localca.options"): {
			"--platform-manufacturer Menshen",
			"--platform-version 1",
			"--platform-model software",
		},
	}
	for name, lines := range files {
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("swtpm: %w", err)
		}
	}
	return c, nil
}

func (c *CA) path(name string) string { return filepath.Join(c.dir, name) }

// Root is the path of the root certificate (PEM).
func (c *CA) Root() string { return c.path("swtpm-localca-rootca-cert.pem") }

// Issuer is the path of the issuing CA's certificate (PEM), an intermediate.
func (c *CA) Issuer() string { return c.path("issuer.pem") }

// Pools reads both certificates.
func (c *CA) Pools() (roots, intermediates *x509.CertPool, err error) {
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	for name, pool := range map[string]*x509.CertPool{c.Root(): roots, c.Issuer(): intermediates} {
		pem, err := os.ReadFile(name) // #nosec G304 -- the CA's own directory
		if err != nil {
			return nil, nil, fmt.Errorf("swtpm: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, nil, errors.New("swtpm: no certificate in " + name)
		}
	}
	return roots, intermediates, nil
}

// Manufacture makes a new TPM in dir: seeds, an RSA-2048 and a P-384 EK, and
// their certificates from this CA in NV. Only the SHA-256 bank is active,
// unless other banks are named.
func (c *CA) Manufacture(ctx context.Context, dir string, banks ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("swtpm: %w", err)
	}
	if len(banks) == 0 {
		banks = []string{"sha256"}
	}
	args := []string{
		"--tpm2", "--tpm-state", dir, "--create-ek-cert", "--lock-nvram", "--not-overwrite",
		"--config", c.path("setup.conf"), "--pcr-banks", strings.Join(banks, ","),
	}
	if os.Geteuid() == 0 {
		args = append(args, "--runas", "root") // else it becomes tss, which cannot read dir
	}
	out, err := exec.CommandContext(ctx, "swtpm_setup", args...).CombinedOutput() // #nosec G204 -- fixed program
	if err != nil {
		return fmt.Errorf("swtpm: swtpm_setup: %w\n%s", err, out)
	}
	return nil
}
