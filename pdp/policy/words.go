package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// words are what attributes of the schema say where that is a fixed choice. To
// Cedar they are texts of any kind: a forbid that waits for "High" instead of
// "high" would pass its validation and protect nothing.
var words = map[string][]string{
	"resource.sensitivity": {"normal", "sensitive"},
	"device.status":        {"active", "pending", "quarantined", "retired", "none"},
	"device.provenance":    {"tpm", "tpm-unendorsed", "secure-enclave", "software", "none"},
	"device.standing":      {"fresh", "silent", "stale", "refused"},
	"host.standing":        {"fresh", "silent", "stale", "refused"},
	"binding.way":          {"fetch", "navigation", "code", "none"},
	"binding.seat":         {"active", "none", "unknown"},
	"risk.person":          {"none", "low", "medium", "high"},
	"risk.device":          {"none", "low", "medium", "high"},
}

var (
	tierWords  = []string{"affirming", "warning", "contraindicated", "none"}
	claimWords = []string{"pass", "fail", "error", "not-applicable", "manual", "exception", "none"}
)

// wordsOf returns what an attribute can say; nil where it is free.
func wordsOf(name string) []string {
	section, last, _ := strings.Cut(name, ".")
	switch {
	case section == "claims" && last != "*":
		return claimWords
	case (section == "attestation" || section == "host") && tierOf(last) != nil:
		return tierWords
	}
	return words[name]
}

// spells finds a word that the attribute on one side never says.
func spells(left, right ast.IsNode) error {
	name, is := attribute(left)
	can := wordsOf(name)
	if !is || can == nil {
		return nil
	}
	for _, word := range texts(right) {
		if !slices.Contains(can, word) {
			return fmt.Errorf("%s is never %q: it is one of %q", name, word, can)
		}
	}
	return nil
}

// texts are the texts of a literal, or of a set of literals.
func texts(n ast.IsNode) []string {
	var all []string
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch t := n.(type) {
		case ast.NodeValue:
			if s, is := t.Value.(types.String); is {
				all = append(all, string(s))
			}
		case ast.NodeTypeSet:
			return true
		}
		return false
	})
	return all
}
