package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) decisionWhy() *cobra.Command {
	return &cobra.Command{
		Use:   "why DECISION-ID",
		Short: "Explain a decision: reasons, policies, the facts that mattered, and what would help",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.client().Why(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(w, func() { a.printWhy(w) })
		},
	}
}

func (a *app) printWhy(w client.Why) {
	if w.Evaluation != nil {
		a.printEvaluation(w)
		return
	}
	d := &w.Decision
	a.printf("%s · %s · %s\n\n", a.effect(d.Effect), a.moment(d.At), d.ID)
	asked := string(d.Action)
	if w.Detail.Class != "" {
		asked += " " + w.Detail.Class
	}
	a.facts(
		a.say("Person", "人員"), named(w.Person.Name, w.Person.Account, w.Person.ID),
		a.say("Device", "裝置"), named(w.Device.Name, w.Device.ID),
		a.say("Portal", "入口"), named(a.say(w.Portal.Name, w.Portal.NameZH), w.Portal.ID),
		a.say("Asked for", "要求"), asked,
		a.say("Agency", "機關"), w.Agency,
		a.say("Session", "工作階段"), w.Session,
	)
	a.printReasons(d)
	a.printRemedies(d)
	a.printPolicies(w.Policies, w.Decision.PolicyVersion, w.InForce)
	a.printFacts(w)
	a.printEnd(w)
}

// named joins what a thing is called, the first by itself and the rest in brackets.
func named(names ...string) string {
	var known []string
	for _, n := range names {
		if n != "" {
			known = append(known, n)
		}
	}
	if len(known) < 2 {
		return strings.Join(known, "")
	}
	return known[0] + " (" + strings.Join(known[1:], ", ") + ")"
}

func (a *app) heading(text string) { a.printf("\n%s\n", text) }

func (a *app) printReasons(d *wire.Decision) {
	a.heading(a.say("Reasons", "原因"))
	if len(d.Reasons) == 0 {
		a.printf("  %s\n", a.say("None: the policies permit it and none forbids it.", "無：政策准許，且無任何政策禁止。"))
	}
	for _, r := range d.Reasons {
		text := reason.Of(a.lang(), r)
		a.printf("  ✖ %s %s: %s\n", r.Code, clean(text.Title), clean(text.What))
		if text.Withheld {
			a.printf("    %s\n", a.say("(the person sees the code alone)", "（當事人僅看到代碼）"))
		}
	}
}

func (a *app) printRemedies(d *wire.Decision) {
	if len(d.Remedies) == 0 {
		return
	}
	if d.Suffices {
		n := strconv.Itoa(len(d.Remedies))
		a.heading(a.say("The smallest set of changes that lets the person in, tried by the engine: "+n, "引擎實際試算後，足以准許存取的最少變更，共 "+n+" 項："))
	} else {
		a.heading(a.say("What would help, one for each reason; whether it is enough was not found", "各項原因的改善方式；是否足夠尚未得知"))
	}
	for i, r := range d.Remedies {
		text := reason.Of(a.lang(), r.Reason)
		about := a.remedyAction(r.Action)
		if r.Claim != "" {
			about += " " + string(r.Claim)
		}
		a.printf("  %d. %s (%s, %s)\n", i+1, clean(text.Do), about, r.Reason.Code)
	}
}

func (a *app) remedyAction(action string) string {
	switch action {
	case "fix-claim":
		return a.say("the person repairs", "由當事人修復")
	case "sign-in":
		return a.say("the person touches the key again", "由當事人再次觸碰金鑰")
	case "attest":
		return a.say("the laptop is measured again", "重新量測裝置")
	case "register-key":
		return a.say("the person registers a key", "由當事人註冊金鑰")
	case "wait":
		return a.say("time alone", "等待一段時間")
	default:
		return a.say("the administrator", "由管理者處理")
	}
}

func (a *app) printPolicies(all []client.PolicyPlace, version string, inForce bool) {
	a.heading(a.say("Determining policies", "決定所依據的政策"))
	a.printPlaces(all)
	if len(all) == 0 {
		a.printf("  %s\n", a.say("None permits it.", "無任何政策准許。"))
	}
	a.printVersion(version, inForce)
}

func (a *app) printPlaces(all []client.PolicyPlace) {
	for _, p := range all {
		place := a.say("its place is not known here", "此處無其位置")
		if p.File != "" {
			place = p.File + ":" + strconv.Itoa(p.Line)
		}
		a.printf("  %s  %s\n", p.ID, clean(place))
	}
}

func (a *app) printVersion(version string, inForce bool) {
	now := a.say("in force now", "目前有效")
	if !inForce {
		now = a.say("another version is in force now", "目前有效者為另一版本")
	}
	a.printf("  %s %s (%s)\n", a.say("version", "版本"), version, now)
}

func (a *app) printFacts(w client.Why) {
	at, detail := w.Decision.At, &w.Detail
	a.heading(a.say("Facts that mattered", "所依據的事實"))
	a.facts(
		"  "+a.say("Sign-in", "登入"), fmt.Sprintf("AAL%d, %s", detail.AAL, a.before(detail.SignInAt, at)),
		"  "+a.say("Laptop's evidence", "裝置證據"), named(string(detail.Standing), a.before(detail.EvidenceAt, at)),
		"  "+a.say("Network", "網路"), detail.Network,
		"  "+a.say("Trust", "信任評分"), fmt.Sprintf("%d/100 = %+.2f nats", detail.Trust.Score, unsignedZero(detail.Trust.Nats)),
		"  "+a.say("Coverage", "涵蓋率"), fmt.Sprintf("%.0f %%", 100*detail.Trust.Coverage),
		"  "+a.say("Weights", "權重版本"), detail.Trust.Weights,
	)
	for _, t := range detail.Trust.Terms {
		a.printf("    %+6.2f  %s\n", t.Nats, clean(named(t.Name, string(t.Cluster), t.State)))
		for _, r := range t.Reasons {
			a.printf("            %s %s\n", r.Code, clean(reason.Of(a.lang(), r).What))
		}
	}
}

// unsignedZero is x without the sign of what two digits show as zero.
func unsignedZero(x float64) float64 {
	if math.Abs(x) < 0.005 {
		return 0
	}
	return x
}

// before says how old something was.
func (a *app) before(then, at time.Time) string {
	if then.IsZero() {
		return a.say("never", "從未")
	}
	return at.Sub(then).Round(time.Second).String() + a.say(" before", "之前")
}

func (a *app) printEnd(w client.Why) {
	d := &w.Decision
	a.printf("\n")
	obliged := a.say("none", "無")
	if d.Obligations.ReadOnly {
		obliged = a.say("read only", "唯讀")
	}
	if d.Obligations.MaxTokenLife > 0 {
		obliged += ", " + a.say("token for at most ", "權杖最長 ") + d.Obligations.MaxTokenLife.String()
	}
	inputs := a.say("kept: the decision can be computed again", "已保存，可重新計算")
	if w.Inputs != nil {
		inputs = w.Inputs.Code + " " + reason.Of(a.lang(), *w.Inputs).Title
	}
	a.facts(
		a.say("Obligations", "附帶義務"), obliged,
		a.say("Valid until", "有效至"), a.moment(d.ValidUntil),
		a.say("Used again", "再次使用次數"), strconv.FormatUint(w.Uses, 10),
		a.say("Inputs", "所依據的資料"), inputs,
		a.say("Digest of inputs", "資料摘要值"), d.InputsDigest,
	)
}
