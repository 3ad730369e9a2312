package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/agent/baseline"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func baselineCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Measure this machine against its configuration baselines (GCB) and say how to repair what fails",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			reports, err := agent.MeasureBaselines(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), baselineJSON(reports))
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), renderBaselines(g.language(), reports))
			}
			if err != nil {
				return err
			}
			return baselineExit(reports)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for scripts")
	cmd.AddCommand(baselineList(g))
	return cmd
}

// baselineExit is 1 where a rule fails, 2 where one could not be measured.
func baselineExit(reports []baseline.Report) error {
	var unknown error
	for _, r := range reports {
		for _, result := range r.Results {
			switch result.State {
			case wire.ClaimFail:
				return exitFailing
			case wire.ClaimError:
				unknown = exitUnknown
			}
		}
	}
	return unknown
}

func baselineList(g *global) *cobra.Command {
	var asJSON, asSetting bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the installed baselines with the digests of their rules; measures nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			all, err := agent.Baselines(c)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				err = writeJSON(cmd.OutOrStdout(), listedJSON(all))
			case asSetting:
				_, err = io.WriteString(cmd.OutOrStdout(), baselineSettings(all))
			default:
				_, err = io.WriteString(cmd.OutOrStdout(), renderListed(g.language(), all))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for scripts")
	cmd.Flags().BoolVar(&asSetting, "setting", false, "print what accepts these rules in the PDP's configuration")
	return cmd
}

// The forms of --json.
type (
	reportJSON struct {
		wire.BaselineReport
		Title   textJSON            `json:"title"`
		Numbers baseline.Numbers    `json:"numbers"`
		Rules   map[string]ruleJSON `json:"rules"`
	}
	ruleJSON struct {
		Title    textJSON `json:"title"`
		Remedy   textJSON `json:"remedy"`
		Expected string   `json:"expected,omitempty"`
		Partial  bool     `json:"partial,omitempty"`
	}
	textJSON struct {
		ZH string `json:"zh"`
		EN string `json:"en"`
	}
	listedBaseline struct {
		Baseline string           `json:"baseline"`
		Version  string           `json:"version"`
		RuleSet  string           `json:"rule_set"`
		Rules    int              `json:"rules"`
		Numbers  baseline.Numbers `json:"numbers"`
		Title    textJSON         `json:"title"`
		Systems  []string         `json:"systems"`
	}
)

func baselineJSON(reports []baseline.Report) []reportJSON {
	all := make([]reportJSON, len(reports))
	for i, r := range reports {
		all[i] = reportJSON{BaselineReport: r.BaselineReport, Title: textJSON(r.Title), Numbers: r.Numbers, Rules: map[string]ruleJSON{}}
		for j, e := range r.Rules {
			all[i].Rules[r.Results[j].Rule] = ruleJSON{Title: textJSON(e.Title), Remedy: textJSON(e.Remedy), Expected: e.Expected, Partial: e.Partial}
		}
	}
	return all
}

func listedJSON(list []baseline.Listed) []listedBaseline {
	all := make([]listedBaseline, len(list))
	for i, b := range list {
		all[i] = listedBaseline{b.ID, b.Version, hex.EncodeToString(b.RuleSet), b.Rules, b.Numbers, textJSON(b.Title), nil}
		for _, s := range b.AppliesTo {
			all[i].Systems = append(all[i].Systems, s.String())
		}
	}
	return all
}

// baselineSettings is what an administrator puts under `attestation` in the
// PDP's configuration.
func baselineSettings(all []baseline.Listed) string {
	var b strings.Builder
	b.WriteString("baselines:\n")
	for _, l := range all {
		fmt.Fprintf(&b, "  - id: %s\n    version: %q\n    rules: %d\n    rule_sets: [%x]\n    least: all\n    os:\n", l.ID, l.Version, l.Rules, l.RuleSet)
		for _, s := range l.AppliesTo {
			fmt.Fprintf(&b, "      - %s\n", s)
		}
	}
	return b.String()
}

func renderListed(lang reason.Language, all []baseline.Listed) string {
	w := wordsOf(lang)
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintf(&b, "%s %s · %s\n", l.ID, l.Version, inLanguage(lang, l.Title))
		fmt.Fprintf(&b, "  %s\n  SHA-256 %x\n", fmt.Sprintf(w.baseline.rules, l.Rules), l.RuleSet)
	}
	return b.String()
}

func inLanguage(lang reason.Language, t baseline.Text) string {
	if lang == reason.Chinese {
		return t.ZH
	}
	return t.EN
}

// outcomes is the order in which a person reads: what is to be done first.
var outcomes = [...]wire.ClaimState{wire.ClaimFail, wire.ClaimError, wire.ClaimManual, wire.ClaimNotApplicable, wire.ClaimPass}

// renderBaselines groups each report by outcome. What fails carries what was
// expected, what was seen, and how to repair it.
func renderBaselines(lang reason.Language, reports []baseline.Report) string {
	w := wordsOf(lang).baseline
	var b strings.Builder
	for _, r := range reports {
		counts := map[wire.ClaimState]int{}
		for _, result := range r.Results {
			counts[result.State]++
		}
		fmt.Fprintf(&b, "%s %s · %s\n", r.Baseline, r.Version, inLanguage(lang, r.Title))
		if r.Numbers == baseline.NumbersQuoted {
			fmt.Fprintf(&b, "  %s\n", w.quoted)
		}
		fmt.Fprintf(&b, "  SHA-256 %x\n", r.RuleSet)
		for _, state := range outcomes {
			if counts[state] == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n%s (%d)\n", w.groups[state], counts[state])
			for i, result := range r.Results {
				if result.State == state {
					renderRule(&b, lang, result, r.Rules[i])
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func renderRule(b *strings.Builder, lang reason.Language, result wire.RuleResult, e baseline.Explained) {
	w := wordsOf(lang).baseline
	fmt.Fprintf(b, "  %s %s", result.Rule, inLanguage(lang, e.Title))
	if e.Partial {
		fmt.Fprintf(b, " %s", w.partial)
	}
	b.WriteString("\n")
	switch result.State {
	case wire.ClaimFail:
		if e.Expected != "" {
			fmt.Fprintf(b, "    %s%s\n", w.expected, e.Expected)
		}
		fmt.Fprintf(b, "    %s%s\n    → %s\n", w.seen, result.Seen, inLanguage(lang, e.Remedy))
	case wire.ClaimError, wire.ClaimNotApplicable:
		fmt.Fprintf(b, "    %s%s\n", w.why, result.Seen)
	case wire.ClaimManual:
		fmt.Fprintf(b, "    → %s\n", inLanguage(lang, e.Look))
	}
}

// baselineWords are the report's own words in one language.
type baselineWords struct {
	rules, quoted, partial, expected, seen, why string
	groups                                      map[wire.ClaimState]string
}

func baselineEnglish() baselineWords {
	return baselineWords{
		rules: "%d rules", quoted: "The rules' numbers are quoted from public notes, not from the published document itself.",
		partial: "(a part of what the baseline asks)", expected: "expected: ", seen: "seen: ", why: "why: ",
		groups: map[wire.ClaimState]string{
			wire.ClaimFail: "✖ fail", wire.ClaimError: "? could not be measured", wire.ClaimManual: "✎ for a person to judge",
			wire.ClaimNotApplicable: "– not applicable", wire.ClaimPass: "✔ pass",
		},
	}
}

func baselineChinese() baselineWords {
	return baselineWords{
		rules: "共 %d 條規則", quoted: "規則編號引自公開筆記，未與正式文件逐條核對。",
		partial: "（僅量測基準要求的一部分）", expected: "要求：", seen: "實際：", why: "原因：",
		groups: map[wire.ClaimState]string{
			wire.ClaimFail: "✖ 未符合", wire.ClaimError: "? 無法量測", wire.ClaimManual: "✎ 須人工判斷",
			wire.ClaimNotApplicable: "– 不適用", wire.ClaimPass: "✔ 符合",
		},
	}
}
