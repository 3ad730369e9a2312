package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) decisionReplay() *cobra.Command {
	return &cobra.Command{
		Use:   "replay DECISION-ID",
		Short: "Compute a recorded decision again and compare it with the record",
		Long: `Computes a recorded decision again, from the inputs that its record holds and
under the policy version that it was taken under, and compares the bytes.

Exit codes: 0 the same; 1 it differs, or it cannot be computed: the inputs were
erased or are not those of the decision, or the policy version is gone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := a.client().Replay(c.Context(), args[0])
			if err != nil {
				return err
			}
			if err := a.show(r, func() { a.printReplay(r) }); err != nil || r.Same {
				return err
			}
			return &failure{exitRefused, *r.Why}
		},
	}
}

func (a *app) printReplay(r client.Replay) {
	if r.Same {
		a.printf("%s\n", a.say("✔ the same bytes as recorded", "✔ 與紀錄的位元組相同"))
		a.facts(
			a.say("Decision", "決定"), r.ID,
			a.say("Taken", "時間"), a.moment(r.At),
			a.say("Policy version", "政策版本"), r.PolicyVersion,
		)
		return
	}
	if len(r.Computed) == 0 {
		return
	}
	a.printf("--- %s\n+++ %s\n", a.say("recorded", "紀錄"), a.say("computed again", "重新計算"))
	for _, line := range difference(lines(r.Recorded), lines(r.Computed)) {
		a.printf("%s\n", clean(line))
	}
}

// lines returns a JSON document a value a line.
func lines(document json.RawMessage) []string {
	var readable bytes.Buffer
	if json.Indent(&readable, document, "", "  ") != nil {
		return []string{string(document)}
	}
	return strings.Split(readable.String(), "\n")
}

// mostCompared bounds the lines that are compared by their longest common
// subsequence; longer documents are shown whole.
const mostCompared = 2000

// difference returns the lines of both documents in order: "-" and "+" lead
// those that stand in one alone.
func difference(old, fresh []string) []string {
	if len(old) > mostCompared || len(fresh) > mostCompared {
		return append(led("-", old), led("+", fresh)...)
	}
	// common[i][j] is how many lines old[i:] and fresh[j:] have in common.
	common := make([][]int, len(old)+1)
	for i := range common {
		common[i] = make([]int, len(fresh)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(fresh) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if old[i] == fresh[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var all []string
	i, j := 0, 0
	for i < len(old) && j < len(fresh) {
		switch {
		case old[i] == fresh[j]:
			all = append(all, " "+old[i])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			all = append(all, "-"+old[i])
			i++
		default:
			all = append(all, "+"+fresh[j])
			j++
		}
	}
	return append(append(all, led("-", old[i:])...), led("+", fresh[j:])...)
}

func led(by string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = by + line
	}
	return out
}
