//go:build !darwin

package posture

import "context"

const windowsVersion = `SOFTWARE\Microsoft\Windows NT\CurrentVersion`

// osReleaseWin names the build: its last part grows with each monthly update.
func osReleaseWin(_ context.Context, m Machine) outcome {
	build, err := m.Windows.Build()
	if err != nil {
		return cannot("the build is not known: %v", err)
	}
	value := map[string]string{"id": "windows", "version_id": build}
	for name, key := range map[string]string{"edition": "EditionID", "release": "DisplayVersion"} {
		if text, there, err := m.Windows.Text(windowsVersion, key); err == nil && there {
			value[name] = text
		}
	}
	return passes(value)
}
