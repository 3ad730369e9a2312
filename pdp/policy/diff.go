package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Source is one policy of a set, as Cedar formats it: comments and layout are
// left aside.
type Source struct {
	ID, File    string
	Line        int
	Annotations map[string]string
	// Text is the policy without its annotations.
	Text string
}

// Sources lists the policies of files that Load accepts, in the order of their
// ids.
func Sources(files map[string][]byte) ([]Source, error) {
	check, err := newChecker()
	if err != nil {
		return nil, err
	}
	var all []Source
	for _, name := range slices.Sorted(maps.Keys(files)) {
		rules, err := check.file(name, files[name])
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			s := Source{ID: r.id, File: name, Line: r.line, Annotations: map[string]string{}}
			for key, value := range r.policy.Annotations() {
				s.Annotations[string(key)] = string(value)
			}
			for line := range strings.Lines(string(r.policy.MarshalCedar())) {
				if !strings.HasPrefix(line, "@") {
					s.Text += line
				}
			}
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Source) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Difference is how one set differs from another, policy by policy.
type Difference struct {
	Added   []Source  `json:"added"`
	Removed []Source  `json:"removed"`
	Changed []Changed `json:"changed"`
}

// Changed is a policy that both sets have under one id.
type Changed struct {
	Was         Source             `json:"was"`
	Now         Source             `json:"now"`
	Annotations []AnnotationChange `json:"annotations,omitempty"`
	// Lines are both texts, line by line; nil where they are the same.
	Lines []Line `json:"lines,omitempty"`
}

// AnnotationChange is an annotation that was added, changed or taken away; what
// is not there is empty.
type AnnotationChange struct {
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Now  string `json:"now,omitempty"`
}

// Line is one line of two texts: Mark is '+' where the second alone has it, '-'
// where the first alone has it, ' ' where both do.
type Line struct {
	Mark string `json:"mark"`
	Text string `json:"text"`
}

// Diff compares two sets by the ids of their policies.
func Diff(a, b map[string][]byte) (Difference, error) {
	var d Difference
	before, err := Sources(a)
	if err != nil {
		return d, err
	}
	after, err := Sources(b)
	if err != nil {
		return d, err
	}
	was := map[string]Source{}
	for _, s := range before {
		was[s.ID] = s
	}
	for _, now := range after {
		old, ok := was[now.ID]
		delete(was, now.ID)
		if !ok {
			d.Added = append(d.Added, now)
			continue
		}
		c := Changed{Was: old, Now: now, Annotations: annotationChanges(old.Annotations, now.Annotations)}
		if old.Text != now.Text {
			c.Lines = lines(strings.Split(strings.TrimSpace(old.Text), "\n"), strings.Split(strings.TrimSpace(now.Text), "\n"))
		}
		if c.Lines != nil || c.Annotations != nil {
			d.Changed = append(d.Changed, c)
		}
	}
	for _, old := range before {
		if _, gone := was[old.ID]; gone {
			d.Removed = append(d.Removed, old)
		}
	}
	return d, nil
}

func annotationChanges(was, now map[string]string) (changes []AnnotationChange) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(now))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		old, had := was[name]
		if value, has := now[name]; old != value || had != has {
			changes = append(changes, AnnotationChange{name, old, value})
		}
	}
	return changes
}

// maxCompared bounds the work of comparing two texts line by line.
const maxCompared = 2000

// lines is a shortest edit of a into b (longest common subsequence). Texts that
// are too long for that are told as wholly other.
func lines(a, b []string) []Line {
	var out []Line
	if len(a) > maxCompared || len(b) > maxCompared {
		return append(marked(out, "-", a), marked(nil, "+", b)...)
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, Line{" ", a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, Line{"-", a[i]})
			i++
		default:
			out = append(out, Line{"+", b[j]})
			j++
		}
	}
	return marked(marked(out, "-", a[i:]), "+", b[j:])
}

func marked(out []Line, mark string, texts []string) []Line {
	for _, text := range texts {
		out = append(out, Line{mark, text})
	}
	return out
}
