// Package disktest gives a test a disk of its own that is small enough to be
// filled: a tmpfs in a mount namespace that ends with the test, however it ends.
package disktest
