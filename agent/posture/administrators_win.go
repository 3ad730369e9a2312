//go:build !darwin

package posture

import "context"

// administratorsWin judges the members of the built-in group of administrators,
// found by its SID because its name follows the language.
func administratorsWin(_ context.Context, m Machine) outcome {
	names, err := m.Windows.Administrators()
	if err != nil {
		return cannot("the administrators are not known: %v", err)
	}
	return judgeAdministrators(names, m.Settings.Administrators)
}
