package posture

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// osRelease reads os-release(5). It passes when the system names itself;
// whether that system is supported is the appraisal policy's question.
func osRelease(_ context.Context, m Machine) outcome {
	raw, err := read(m.Files, "etc/os-release", 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = read(m.Files, "usr/lib/os-release", 64<<10)
	}
	if err != nil {
		return cannot("reading os-release: %v", err)
	}
	fields := parseOSRelease(string(raw))
	if fields["ID"] == "" {
		return cannot("os-release has no ID")
	}
	value := map[string]string{"id": fields["ID"]}
	for name, key := range map[string]string{"version_id": "VERSION_ID", "id_like": "ID_LIKE", "name": "PRETTY_NAME"} {
		if fields[key] != "" {
			value[name] = fields[key]
		}
	}
	if kernel, err := read(m.Files, "proc/sys/kernel/osrelease", 256); err == nil {
		value["kernel"] = strings.TrimSpace(string(kernel))
	}
	return outcome{state: wire.ClaimPass, value: value}
}

// parseOSRelease reads the shell-like assignments of os-release(5). A line that
// is none is left out, as the manual asks.
func parseOSRelease(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if plain, ok := unquote(value); ok {
			fields[name] = plain
		}
	}
	return fields
}

// unquote takes off the quotes and backslashes that os-release(5) permits.
func unquote(value string) (string, bool) {
	if value == "" {
		return "", true
	}
	quote := value[0]
	if quote == '\'' || quote == '"' {
		if len(value) < 2 || value[len(value)-1] != quote {
			return "", false
		}
		value = value[1 : len(value)-1]
	}
	if quote == '\'' || !strings.Contains(value, `\`) {
		return value, true
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String(), true
}
