package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// policyState names a set's state.
func (a *app) policyState(set wire.PolicySet) string {
	name := map[wire.PolicyState]string{
		wire.PolicyDraft:      a.say("draft", "草稿"),
		wire.PolicyStaged:     a.say("staged", "候選"),
		wire.PolicyShadow:     a.say("in shadow", "影子評估中"),
		wire.PolicyActive:     a.say("active", "現行"),
		wire.PolicySuperseded: a.say("superseded", "已取代"),
	}[set.State]
	if name == "" {
		name = a.say("unknown", "未知")
	}
	if len(set.Approvals) > 0 {
		name += a.say(", approved once", "，已核准一次")
	}
	return name
}

func (a *app) printSet(set wire.PolicySet) {
	a.printf("%s: %s\n", set.Version, a.policyState(set))
}

func (a *app) policyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the kept policy sets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().PolicySets(c.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, set := range all {
					origin := a.say("submitted", "提交")
					if set.Configured {
						origin = a.say("configuration", "設定檔")
					}
					var last wire.PolicyStep
					if n := len(set.History); n > 0 {
						last = set.History[n-1]
					}
					rows[i] = []string{set.Version, a.policyState(set), origin, strconv.Itoa(set.Policies), last.By, a.moment(last.At), set.Note}
				}
				a.table([]string{
					a.say("VERSION", "版本"), a.say("STATE", "狀態"), a.say("FROM", "來源"), a.say("POLICIES", "政策數"),
					a.say("BY", "操作者"), a.say("SINCE", "時間"), a.say("NOTE", "備註"),
				}, rows)
			})
		},
	}
}

func (a *app) policySubmit() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use: "submit FOLDER", Short: "Have the PDP check a folder's .cedar files and keep them as a draft", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			set, err := a.client().SubmitPolicy(c.Context(), client.NewPolicySet{Files: files, Note: note})
			if err != nil {
				return err
			}
			return a.show(set, func() { a.printSet(set) })
		},
	}
	c.Flags().StringVar(&note, "note", "", "what the set is for")
	return c
}

func (a *app) policyStage() *cobra.Command {
	return &cobra.Command{
		Use: "stage VERSION", Short: "Make a draft a candidate, or take a candidate out of the shadow", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := a.client().StagePolicy(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(set, func() { a.printSet(set) })
		},
	}
}

func (a *app) policyShadow() *cobra.Command {
	return &cobra.Command{
		Use:   "shadow [VERSION]",
		Short: "Evaluate a staged set beside the active one on live decisions; or show how they differ so far",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				set, err := a.client().ShadowPolicy(c.Context(), args[0])
				if err != nil {
					return err
				}
				return a.show(set, func() { a.printSet(set) })
			}
			report, err := a.client().PolicyShadow(c.Context())
			if err != nil {
				return err
			}
			return a.show(report, func() { a.printShadow(report) })
		},
	}
}

func (a *app) printShadow(r wire.PolicyShadowReport) {
	a.facts(
		a.say("In shadow", "影子評估中"), r.Version,
		a.say("Beside", "現行"), r.Against,
		a.say("Since", "開始時間"), a.moment(r.Since),
		a.say("Decisions judged", "已評估的決策"), strconv.FormatUint(r.Judged, 10),
		a.say("Left out: too many at a time", "略過：同時過多"), strconv.FormatUint(r.Dropped, 10),
		a.say("Left out: failed", "略過：評估失敗"), strconv.FormatUint(r.Failed, 10),
	)
	a.printf("\n")
	rows := make([][]string, len(r.Differences))
	for i, d := range r.Differences {
		rows[i] = []string{
			strconv.FormatUint(d.Count, 10), a.policyChange(d.Was, d.Now), d.Portal, string(d.Action),
			strings.Join(d.Rules, " "), strings.Join(d.Examples, " "),
		}
	}
	a.table([]string{
		a.say("TIMES", "次數"), a.say("CHANGE", "變化"), a.say("PORTAL", "入口"), a.say("ACTION", "動作"), a.say("RULES", "規則"), a.say("DECISIONS", "決策"),
	}, rows)
	if r.Unlisted > 0 {
		a.printf("%s: %d\n", a.say("further differences, not listed", "其他未列出的差異"), r.Unlisted)
	}
}

func (a *app) policyChange(was, now wire.PolicyAnswer) string {
	return a.policyAnswer(was) + " → " + a.policyAnswer(now)
}

func (a *app) policyAnswer(answer wire.PolicyAnswer) string {
	switch answer {
	case wire.AnswerAllow:
		return a.say("allow", "允許")
	case wire.AnswerReadOnly:
		return a.say("read-only", "僅能讀取")
	case wire.AnswerStepUp:
		return a.say("step-up", "須再觸碰金鑰")
	default:
		return a.say("deny", "拒絕")
	}
}

func (a *app) policyActivate() *cobra.Command {
	var in client.Activate
	c := &cobra.Command{
		Use:   "activate VERSION",
		Short: "Approve that a staged set comes into force; the second officer's approval makes it so",
		Long: `Approves that a staged set, or the one in shadow, comes into force. Where two
officers are asked for, the second one's approval makes it so. If nobody tried
by what-if what the set does, or many people would lose access, the version has
to be typed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := a.client().ActivatePolicy(c.Context(), args[0], in)
			if problem, asked := confirmable(err); asked && in.Confirm == "" {
				if in.Confirm, err = a.ask(problem); err != nil {
					return err
				}
				set, err = a.client().ActivatePolicy(c.Context(), args[0], in)
			}
			if err != nil {
				return err
			}
			return a.show(set, func() { a.printSet(set) })
		},
	}
	c.Flags().StringVar(&in.Confirm, "confirm", "", "the version once more, where it would be asked for")
	return c
}

// confirmable reports whether an error asks for something to be typed.
func confirmable(err error) (*client.Problem, bool) {
	var problem *client.Problem
	if !errors.As(err, &problem) {
		return nil, false
	}
	return problem, problem.Why.Code == reason.SetConfirm || problem.Why.Code == reason.SetUntried
}

// ask shows why something is to be typed, and reads one line.
func (a *app) ask(why *client.Problem) (string, error) {
	_, _ = fmt.Fprintf(a.err, "%s %s\n  %s\n  → %s\n> ", why.Document.Code, why.Document.Title, why.Document.Detail, why.Document.Do)
	line, err := bufio.NewReader(io.LimitReader(a.in, 1<<10)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.Join(why, err)
	}
	return line, nil
}

func (a *app) policyRollback() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Approve that an earlier set comes back, by default the one before the active one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := a.client().RollbackPolicy(c.Context(), client.Rollback{Version: strings.Join(args, "")})
			if err != nil {
				return err
			}
			return a.show(set, func() { a.printSet(set) })
		},
	}
}
