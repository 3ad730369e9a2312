package wire

// Reason is a code ZT-<area>-<nnn> with its arguments. The texts in both
// languages live in internal/reason.
type Reason struct {
	Code string            `json:"code"`
	Args map[string]string `json:"args,omitempty"`
}
