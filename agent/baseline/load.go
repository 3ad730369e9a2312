package baseline

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Folders are where rule files lie.
type Folders struct {
	// Shipped is the package's folder and must be there. Local may be missing.
	Shipped, Local string
	// Owner is whom the folders and files must belong to, as a number: root.
	Owner int
}

// Errors of Load; the text names the file.
var (
	// ErrExposed: somebody else than root could change what is measured.
	ErrExposed = errors.New("baseline: others could change the rules")
	// ErrTaken: a baseline or rule of this id exists already.
	ErrTaken = errors.New("baseline: the id is taken")
	// ErrRules is any other fault of a rule file.
	ErrRules = errors.New("baseline: the rules cannot be used")
)

// Set is everything that was loaded. It is read only.
type Set struct {
	baselines []loaded
}

// loaded is one baseline with its rules in the order of their numbers.
type loaded struct {
	Baseline
	digest [sha256.Size]byte
	rules  []numbered
}

// numbered is a rule by its id in one baseline.
type numbered struct {
	id string
	*Rule
}

// source is one rule file with the digest of its bytes.
type source struct {
	path   string
	digest [sha256.Size]byte
	document
}

// Load reads all rule files of the folders.
func Load(f Folders) (*Set, error) {
	shipped, err := readFolder(f.Shipped, f.Owner)
	if err != nil {
		return nil, err
	}
	local, err := readFolder(f.Local, f.Owner)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return assemble(append(shipped, local...))
}

// maxFiles bounds the files of a folder.
const maxFiles = 256

func readFolder(folder string, owner int) ([]source, error) {
	if folder == "" {
		return nil, nil
	}
	if err := ownedAlone(folder, owner, fs.ModeDir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRules, err)
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%w: %s: more than %d files", ErrRules, folder, maxFiles)
	}
	var all []source
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".yaml") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if err := ownedAlone(path, owner, 0); err != nil {
			return nil, err
		}
		s, err := readSource(path)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// ownedAlone refuses what somebody else than the owner can write, and a link,
// behind which anything may lie.
func ownedAlone(path string, owner int, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRules, err)
	}
	uid, _, known := ownersOf(info)
	switch {
	case info.Mode().Type() != kind:
		return fmt.Errorf("%w: %s is neither a plain file nor a folder", ErrExposed, path)
	case known && uid != owner:
		return fmt.Errorf("%w: %s belongs to user %d and not to %d", ErrExposed, path, uid, owner)
	case known && info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: %s can be written by others (mode %04o)", ErrExposed, path, info.Mode().Perm())
	}
	return nil
}

func readSource(path string) (source, error) {
	f, err := os.Open(path) // #nosec G304 -- its folder belongs to root
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrRules, err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, yamlfile.MaxBytes+1))
	if err != nil || len(raw) > yamlfile.MaxBytes {
		return source{}, fmt.Errorf("%w: %s is larger than %d bytes or cannot be read: %w", ErrRules, path, yamlfile.MaxBytes, errors.Join(err))
	}
	s := source{path: path, digest: sha256.Sum256(raw)}
	if err := yamlfile.Decode(path, raw, &s.document); err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrRules, err)
	}
	return s, nil
}

// assemble puts baselines and rules together. Nothing is ever replaced.
func assemble(all []source) (*Set, error) {
	where := map[string]string{}
	takes := func(id, path string) error {
		if first, taken := where[id]; taken {
			return fmt.Errorf("%w: %s: %s is there already, in %s; give yours an id of its own", ErrTaken, path, id, first)
		}
		where[id] = path
		return nil
	}
	set := &Set{}
	for _, s := range all {
		for _, b := range s.Baselines {
			if err := takes(b.ID, s.path); err != nil {
				return nil, err
			}
			set.baselines = append(set.baselines, loaded{Baseline: b})
		}
	}
	for _, s := range all {
		for i := range s.Rules {
			if err := set.add(&s.Rules[i], s.path, takes); err != nil {
				return nil, err
			}
		}
	}
	for i := range set.baselines {
		b := &set.baselines[i]
		slices.SortFunc(b.rules, func(x, y numbered) int { return cmp.Compare(x.id, y.id) })
		b.digest = b.digestOf(all)
	}
	slices.SortFunc(set.baselines, func(x, y loaded) int { return cmp.Compare(x.ID, y.ID) })
	return set, nil
}

func (s *Set) add(r *Rule, path string, takes func(id, path string) error) error {
	for id, number := range r.In {
		at := slices.IndexFunc(s.baselines, func(b loaded) bool { return b.ID == id })
		if at < 0 {
			return fmt.Errorf("%w: %s: rule %s: there is no baseline %s", ErrRules, path, number, id)
		}
		if err := takes(id+"-"+number, path); err != nil {
			return err
		}
		s.baselines[at].rules = append(s.baselines[at].rules, numbered{id + "-" + number, r})
	}
	return nil
}

// digestOf is SHA-256 over the digests of the files that define the baseline or
// have rules of it, in ascending order: a file for another baseline changes
// nothing, and neither does a file's name.
func (b *loaded) digestOf(all []source) [sha256.Size]byte {
	var digests [][sha256.Size]byte
	for _, s := range all {
		concerns := slices.ContainsFunc(s.Baselines, func(x Baseline) bool { return x.ID == b.ID }) ||
			slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.In[b.ID] != "" })
		if concerns {
			digests = append(digests, s.digest)
		}
	}
	slices.SortFunc(digests, func(x, y [sha256.Size]byte) int { return strings.Compare(string(x[:]), string(y[:])) })
	h := sha256.New()
	for _, d := range digests {
		h.Write(d[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
