// Package dns01 does nothing.
package dns01

import (
	"strings"
	"time"
)

// Options of a client.
type Options struct{ RecursiveNameservers []string }

// Client asks nobody.
type Client struct{}

// NewClient returns one.
func NewClient(*Options) *Client { return &Client{} }

// SetDefaultClient does nothing.
func SetDefaultClient(*Client) {}

// ChallengeOption changes nothing.
type ChallengeOption func()

// CondOptions changes nothing.
func CondOptions(bool, ...ChallengeOption) ChallengeOption { return nil }

// DisableAuthoritativeNssPropagationRequirement changes nothing.
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return nil }

// DisableRecursiveNSsPropagationRequirement changes nothing.
func DisableRecursiveNSsPropagationRequirement() ChallengeOption { return nil }

// PropagationWait changes nothing.
func PropagationWait(time.Duration, bool) ChallengeOption { return nil }

// UnFqdn returns a name without its last dot.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
