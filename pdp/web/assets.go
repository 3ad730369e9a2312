package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// Where the assets lie on the PDP's own host and on a portal's.
const (
	ownAssets    = "/assets/"
	portalAssets = "/.menshen/assets/"
)

// files are the assets with a version: the digest of them all, which is part
// of their addresses so that they can be kept for ever.
type files struct {
	version string
	content map[string][]byte
}

func loadFiles() (*files, error) {
	f := &files{content: make(map[string][]byte)}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	digest := sha256.New()
	for _, entry := range entries {
		raw, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		f.content[entry.Name()] = raw
		sum := sha256.Sum256(raw)
		digest.Write([]byte(entry.Name()))
		digest.Write(sum[:])
	}
	f.version = hex.EncodeToString(digest.Sum(nil)[:6])
	return f, nil
}

// Assets answers <version>/<file>: mount it under /.menshen/assets/ with that
// prefix stripped.
func (s *Site) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		content, ok := s.files.content[name]
		if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentType(name))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		if version == s.files.version {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}

func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, ".css"):
		return "text/css; charset=utf-8"
	case strings.HasSuffix(name, ".js"):
		return "text/javascript; charset=utf-8"
	case strings.HasSuffix(name, ".svg"):
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}
