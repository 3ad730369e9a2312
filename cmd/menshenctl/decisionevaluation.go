package main

import (
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// printEvaluation explains what an application asked.
func (a *app) printEvaluation(w client.Why) {
	e := w.Evaluation
	a.printf("%s · %s · %s\n\n", a.say("asked by an application", "應用系統提問"), a.moment(w.Decision.At), w.Decision.ID)
	inputs := a.say("kept: the request can be answered again", "已保存，可重新計算")
	if w.Inputs != nil {
		inputs = w.Inputs.Code + " " + reason.Of(a.lang(), *w.Inputs).Title
	}
	a.facts(
		a.say("Portal", "入口"), named(a.say(w.Portal.Name, w.Portal.NameZH), w.Portal.ID),
		a.say("Agency", "機關"), w.Agency,
		a.say("Endpoint", "端點"), e.Detail.Endpoint,
		a.say("Request", "請求代碼"), e.Detail.RequestID,
		a.say("Inputs", "所依據的資料"), inputs,
		a.say("Digest of inputs", "資料摘要值"), e.Detail.InputsDigest,
	)
	a.printAnswers(e)
	a.printRules(e)
	for i := range e.Looks {
		a.printLook(&e.Looks[i])
	}
}

func (a *app) printAnswers(e *client.Evaluation) {
	a.heading(a.say("Answers", "答覆"))
	for _, r := range e.Detail.Results {
		icon := "✖"
		switch {
		case r.Allowed:
			icon = "✔"
		case r.StepUp:
			icon = "⚠"
		}
		question := r.Question
		if question == "" {
			question = a.say("(not a question)", "（並非有效的提問）")
		}
		a.printf("  %s %s\n", icon, clean(question))
		if r.Code != "" {
			a.printf("    %s %s\n", r.Code, clean(reason.Of(a.lang(), reason.New(r.Code)).Title))
		}
	}
	for _, id := range e.Detail.Found {
		a.printf("  ✔ %s\n", clean(id))
	}
	if len(e.Detail.Results)+len(e.Detail.Found) == 0 {
		a.printf("  %s\n", a.say("Nothing was found.", "查無符合者。"))
	}
}

// printRules tells of the application's own rules, where it was judged by any.
func (a *app) printRules(e *client.Evaluation) {
	version := ""
	for _, b := range e.Detail.Basis {
		if b.Application != "" {
			version = b.Application
		}
	}
	if version == "" {
		return
	}
	a.heading(a.say("The application's own rules", "應用系統自有的規則"))
	a.printPlaces(e.Policies)
	a.printVersion(version, e.InForce)
}

// printLook tells of the PDP's own decision about a session.
func (a *app) printLook(l *client.Looked) {
	a.heading(a.say("Session", "工作階段") + " " + clean(l.Session))
	if l.Why != nil {
		a.printf("  ✖ %s %s\n", l.Why.Code, clean(reason.Of(a.lang(), *l.Why).What))
		return
	}
	asked := string(l.Decision.Action)
	if l.Class != "" {
		asked += " " + l.Class
	}
	a.printf("  %s\n", a.effect(l.Decision.Effect))
	a.facts(
		"  "+a.say("Person", "人員"), named(l.Person.Name, l.Person.Account, l.Person.ID),
		"  "+a.say("Device", "裝置"), named(l.Device.Name, l.Device.ID),
		"  "+a.say("Asked for", "要求"), asked,
	)
	a.printReasons(&l.Decision)
	a.printRemedies(&l.Decision)
	a.printPolicies(l.Policies, l.Decision.PolicyVersion, l.InForce)
}
