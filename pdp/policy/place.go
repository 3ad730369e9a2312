package policy

import "github.com/cedar-policy/cedar-go"

// Place returns the file and the line that a policy begins at, by its @id; an
// empty file where the set has no such policy.
func (e *Engine) Place(id string) (file string, line int) {
	if r := e.rules.byID[cedar.PolicyID(id)]; r != nil {
		return r.file, r.line
	}
	return "", 0
}
