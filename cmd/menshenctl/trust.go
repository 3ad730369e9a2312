package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) trust() *cobra.Command {
	shadow := noun("shadow", "What is tried beside the score in force, on live traffic", a.shadowTry(), a.shadowShow(), a.shadowEnd())
	return noun("trust", "Officers' control over the trust score: overrides, trials, feedback",
		a.trustShow(), a.trustOverride(), a.trustLift(), a.trustList(), a.trustFeedback(), a.trustObservations(), shadow)
}

func (a *app) trustOverride() *cobra.Command {
	var agency string
	var o client.NewOverride
	var life time.Duration
	c := &cobra.Command{
		Use:   "override compromised|safe",
		Short: "Say that a person, device or session is compromised, or that named alarms are harmless",
		Long: `"compromised" denies everything to one person, device or session until an
officer lifts it. "safe" has named reasons of plugins count for nothing for a
time, at the agency's own portals; it never lifts a gate, and never raises a
score above what it were if these plugins had no opinion. Both are recorded,
with you and your reason, and act at the next request.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.Kind, o.Minutes = wire.OverrideKind(args[0]), int(life/time.Minute)
			made, err := a.client().Override(c.Context(), agency, o)
			if err != nil {
				return err
			}
			return a.show(made, func() { a.printf("%s %s\n", made.ID, a.overrideEnd(made)) })
		},
	}
	a.agencyFlag(c, &agency, true)
	f := c.Flags()
	f.StringVar(&o.Person, "person", "", "the person, by account or id")
	f.StringVar(&o.Device, "device", "", "the device, by name")
	f.StringVar(&o.Session, "session", "", "the session, by id")
	f.StringSliceVar(&o.Codes, "code", nil, "a reason that is harmless, such as ZT-TRU-003 or PLUGIN/ZT-TRU-003; may be repeated")
	f.StringVar(&o.Reason, "reason", "", "why, for the audit log")
	f.DurationVar(&life, "for", 0, "how long \"safe\" lasts: 5m to 720h")
	must(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) overrideEnd(o wire.TrustOverride) string {
	if o.Until.IsZero() {
		return a.say("denies until it is lifted", "在解除之前一律不予放行")
	}
	return a.say("mutes until", "略過至") + " " + a.moment(o.Until)
}

func (a *app) trustLift() *cobra.Command {
	var agency string
	var in client.Lift
	c := &cobra.Command{
		Use:   "lift ID",
		Short: "End an override; the sessions it touches are decided anew at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			gone, err := a.client().LiftOverride(c.Context(), agency, args[0], in)
			if err != nil {
				return err
			}
			return a.show(gone, func() { a.printf("%s %s\n", gone.ID, a.say("is lifted", "已解除")) })
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the audit log")
	must(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) trustList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List an agency's overrides in force, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Overrides(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() { a.overrides(all) })
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) overrides(all []wire.TrustOverride) {
	rows := make([][]string, len(all))
	for i, o := range all {
		rows[i] = []string{
			string(o.Kind), o.Person + o.Device + o.Session, strings.Join(o.Codes, " "), a.overrideEnd(o), o.By, clean(o.Reason), o.ID,
		}
	}
	a.table([]string{
		a.say("KIND", "種類"), a.say("ABOUT", "對象"), a.say("CODES", "代碼"), a.say("HOLDS", "效力"), a.say("OFFICER", "承辦人員"),
		a.say("REASON", "理由"), a.say("ID", "覆核代碼"),
	}, rows)
}

func (a *app) trustShow() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "show PERSON",
		Short: "Show what the inference makes of a person's sessions now, term by term",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := a.client().PersonTrust(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(t, func() {
				for _, id := range slices.Sorted(maps.Keys(t.Sessions)) {
					a.assessment(id, t.Sessions[id])
				}
				if len(t.Overrides) > 0 {
					a.printf("\n")
					a.overrides(t.Overrides)
				}
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) assessment(session string, t wire.TrustAssessment) {
	if t.AssessedAt.IsZero() { // after a restart, until somebody asks: no distrust
		a.printf("%s  %s\n", session, a.say("not assessed yet", "尚未評估"))
		return
	}
	a.printf("%s  %d/100  %+.2f %s  %s\n", session, t.Score, t.Nats, a.say("nats", "奈特"), t.Weights)
	rows := make([][]string, len(t.Terms))
	for i, term := range t.Terms {
		codes := make([]string, len(term.Reasons))
		for j, r := range term.Reasons {
			codes[j] = r.Code
		}
		rows[i] = []string{term.Name, string(term.Cluster), term.State, fmt.Sprintf("%+.2f", term.Nats), term.Version, strings.Join(codes, " ")}
	}
	a.table([]string{
		a.say("TERM", "項目"), a.say("CLUSTER", "群組"), a.say("STATE", "狀態"), a.say("NATS", "奈特"), a.say("VERSION", "版本"), a.say("REASONS", "理由代碼"),
	}, rows)
}

func (a *app) trustFeedback() *cobra.Command {
	var in client.Feedback
	var not bool
	c := &cobra.Command{
		Use:   "feedback DECISION",
		Short: "Say that the sign-in a decision rests on was, or was not, the person",
		Long: `Plugins are told, and learn from it as they see fit. A sign-in that was not the
person is taken out of the history, so that it is not taught again. Sessions are
not touched: see "person revoke-sessions" and "trust override compromised".`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.Genuine = !not
			out, err := a.client().JudgeSignIn(c.Context(), args[0], in)
			if err != nil {
				return err
			}
			return a.show(out, func() { a.printf("%s\n", a.say("Plugins are told.", "已告知推論程式。")) })
		},
	}
	c.Flags().BoolVar(&not, "not-the-person", false, "it was somebody else")
	c.Flags().StringVar(&in.Reason, "reason", "", "how you know, for the audit log")
	must(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) trustObservations() *cobra.Command {
	var since time.Duration
	c := &cobra.Command{
		Use:   "observations",
		Short: "Write what plugins are taught after a start, a line of JSON each, for a backtest",
		Long: `Writes the last 32 sign-ins and 16 refused ones of each person, from the last
90 days at most, under pseudonyms. It holds no whole addresses, and nothing of
what sessions did: requests and their rates are not kept.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var from time.Time
			if since > 0 {
				from = time.Now().Add(-since)
			}
			return a.client().Observations(c.Context(), from, c.OutOrStdout())
		},
	}
	c.Flags().DurationVar(&since, "since", 0, "how far back, such as 720h; all if not given")
	return c
}

func (a *app) shadowTry() *cobra.Command {
	var file string
	var t client.Trial
	c := &cobra.Command{
		Use:   "try",
		Short: "Try a set of weights, or higher thresholds, beside those in force",
		Long: `Every live decision is taken once more with the score as it would be, and what
differs is counted by portal; nothing else follows from it. A restart keeps the
trial and begins its counts anew. To put weights in force, name their file in
the configuration (trust.weights) and restart: the audit log keeps when. A plugin
is tried with "shadow: true" in its configuration.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file != "" {
				text, err := os.ReadFile(file) // #nosec G304 -- the file that the officer names
				if err != nil {
					return err
				}
				t.Weights = string(text)
			}
			s, err := a.client().Try(c.Context(), t)
			if err != nil {
				return err
			}
			return a.show(s, func() { a.shadow(s) })
		},
	}
	c.Flags().StringVar(&file, "weights", "", "the file of weights")
	c.Flags().IntVar(&t.Points, "threshold", 0, "by how many points every threshold is raised")
	return c
}

func (a *app) shadowShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show what is tried, and what it would have changed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.client().Shadow(c.Context())
			if err != nil {
				return err
			}
			return a.show(s, func() { a.shadow(s) })
		},
	}
}

func (a *app) shadowEnd() *cobra.Command {
	return &cobra.Command{
		Use:   "end",
		Short: "End the trial of weights or thresholds, and show what it came to",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.client().EndTrial(c.Context())
			if err != nil {
				return err
			}
			return a.show(s, func() { a.shadow(s) })
		},
	}
}

func (a *app) shadow(s client.Shadow) {
	trial := s.Trial
	if trial == "" {
		trial = a.say("none", "無")
	}
	a.facts(
		a.say("Trial", "試行"), trial,
		a.say("Plugins in shadow", "試行中的推論程式"), strings.Join(s.Plugins, " "),
		a.say("Since", "起算時間"), a.moment(s.Since),
		a.say("Not counted", "未計入"), fmt.Sprint(s.Lost),
	)
	a.printf("\n")
	rows := make([][]string, len(s.Counts))
	for i, n := range s.Counts {
		rows[i] = []string{n.Candidate, n.Portal, n.Was, n.Would, fmt.Sprint(n.Decisions)}
	}
	a.table([]string{
		a.say("CANDIDATE", "試行對象"), a.say("PORTAL", "入口網站"), a.say("WAS", "實際"), a.say("WOULD BE", "試行結果"), a.say("DECISIONS", "決定數"),
	}, rows)
}
