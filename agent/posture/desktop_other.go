//go:build !linux

package posture

// HasDesktop is false: on this system no session reports its screen.
func (Machine) HasDesktop(uint32) bool { return false }
