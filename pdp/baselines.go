package pdp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/pdp/exception"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// BaselineConfig is one configuration baseline that devices must meet.
// `menshen-agent baseline list --setting` prints it for the rules of a device.
type BaselineConfig struct {
	ID      string `yaml:"id"`
	Version string `yaml:"version"`
	// OS are the systems that it is demanded of, as "debian 12"; Agencies whose
	// devices, all if there is no list.
	OS       []string `yaml:"os"`
	Agencies []string `yaml:"agencies"`
	// RuleSets are the accepted digests, in hexadecimal, of so many Rules.
	RuleSets []string `yaml:"rule_sets"`
	Rules    int      `yaml:"rules"`
	// Least is "all", or a share of the rules such as "90%".
	Least string `yaml:"least"`
	// Ignore are rules that count for nothing.
	Ignore []string `yaml:"ignore"`
}

func (c BaselineConfig) policy() (verifier.BaselinePolicy, error) {
	b := verifier.BaselinePolicy{Baseline: c.ID, Version: c.Version, Agencies: c.Agencies, Rules: c.Rules, Ignore: c.Ignore}
	if c.ID == "" || c.Version == "" || c.Rules < 1 || len(c.OS) == 0 || len(c.RuleSets) == 0 {
		return b, fmt.Errorf("%q: id, version, os, rule_sets and rules are needed", c.ID)
	}
	for _, text := range c.OS {
		release, err := verifier.ParseOS(text)
		if err != nil {
			return b, err
		}
		b.OS = append(b.OS, release)
	}
	for _, text := range c.RuleSets {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != sha256.Size {
			return b, fmt.Errorf("%s: %q is no SHA-256 in hexadecimal", c.ID, text)
		}
		b.RuleSets = append(b.RuleSets, [sha256.Size]byte(raw))
	}
	if b.Least = 100; c.Least != "all" {
		text, percent := c.Least, false
		if n := len(text); n > 0 && text[n-1] == '%' {
			text, percent = text[:n-1], true
		}
		share, err := strconv.Atoi(text)
		if err != nil || !percent || share < 1 || share > 100 {
			return b, fmt.Errorf(`%s: least: %q is neither "all" nor a share such as "90%%"`, c.ID, c.Least)
		}
		b.Least = share
	}
	return b, nil
}

// baselinePolicies reads the configured baselines; one named twice is an error.
func baselinePolicies(all []BaselineConfig) ([]verifier.BaselinePolicy, error) {
	var policies []verifier.BaselinePolicy
	seen := map[string]bool{}
	for _, c := range all {
		b, err := c.policy()
		if err == nil && seen[c.ID] {
			err = fmt.Errorf("%s is named twice", c.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("attestation.baselines: %w", err)
		}
		seen[c.ID] = true
		policies = append(policies, b)
	}
	return policies, nil
}

func newExceptions(ctx context.Context, s store.Store, logger *slog.Logger) (*exception.Keeper, error) {
	return exception.New(ctx, exception.Config{Store: s, Clock: time.Now, Random: rand.Reader, Logger: logger})
}
