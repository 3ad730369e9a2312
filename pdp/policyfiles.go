package pdp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/menshen-zt/menshen/pdp/policy"
)

// policyFiles reads the .cedar files of a folder, bounded in number and size
// before policy.Load sees them.
func policyFiles(folder string) (map[string][]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("policy.folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	names, err := fs.Glob(root.FS(), "*.cedar")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("policy.folder: no .cedar file in " + folder)
	}
	if len(names) > policy.MaxFiles {
		return nil, fmt.Errorf("policy.folder: more than %d files", policy.MaxFiles)
	}
	files := make(map[string][]byte, len(names))
	for _, name := range names {
		info, err := root.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("policy.folder: %w", err)
		}
		if info.Size() > policy.MaxFileBytes {
			return nil, fmt.Errorf("policy.folder: %s is larger than %d bytes", filepath.Join(folder, name), policy.MaxFileBytes)
		}
		if files[name], err = root.ReadFile(name); err != nil {
			return nil, fmt.Errorf("policy.folder: %w", err)
		}
	}
	return files, nil
}
