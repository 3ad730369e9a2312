package yamlfile

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Duration is a time.Duration written as in "1m30s". It exists because the
// library's own decoding of one does not name the line of a wrong value.
type Duration struct{ time.Duration }

// UnmarshalYAML reads a duration with its unit.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a duration such as 30s or 5m", node.GetToken().Position.Line, text)
	}
	d.Duration = parsed
	return nil
}
