// Package session tells whether a person's desktop locks its screen by itself.
// It runs in the desktop's session, because its settings are the person's own
// and root cannot read what holds there. It reads effective settings through
// the desktop's own program, with the desktop's defaults, and asks whether the
// program that locks is there at all. What it cannot tell is a problem, never a
// lock.
package session
