package backtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Say picks the wording in the reader's language.
type Say func(english, chinese string) string

// writing is a report on its way to a terminal. A broken pipe needs no telling.
type writing struct {
	to  *tabwriter.Writer
	say Say
}

func (w writing) line(format string, args ...any) { _, _ = fmt.Fprintf(w.to, format+"\n", args...) }

// rows ends a table, so that the next has columns of its own.
func (w writing) rows() { _ = w.to.Flush() }

// WriteText writes the report for a person to read.
func WriteText(out io.Writer, r *Report, say Say) {
	w := writing{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), say}
	w.line("%s: %s", say("Source", "來源"), r.Source)
	w.line("%s: %d, %s: %d, %s: %s – %s – %s", say("people", "人數"), r.People, say("sign-ins judged", "已評估登入"), r.SignIns,
		say("fitted, then judged", "擬合期間與評估期間"), r.From.Format("2006-01-02"), r.Split.Format("2006-01-02"), r.To.Format("2006-01-02"))
	w.counts(say("fitting", "擬合"), r.Fitting)
	w.counts(say("judging", "評估"), r.Judging)
	w.plugins(r)
	w.result(say("Weights in force", "現行權重"), &r.Shipped)
	if r.HeldOut != nil {
		w.result(say("Fitted weights, each kind of attacker held out", "擬合權重（各類攻擊者逐一排除於擬合之外）"), r.HeldOut)
	}
	if r.Fitted != nil {
		w.result(w.say("Fitted weights, all kinds known", "擬合權重（各類攻擊者皆已納入擬合）"), r.Candidate)
		w.fitted(r.Fitted)
	}
}

func (w writing) counts(name string, counts map[Label]int) {
	text := name + ":"
	for _, label := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf(" %s %d", label, counts[label])
	}
	w.line("%s", text)
}

func (w writing) plugins(r *Report) {
	w.line("\n%s", w.say("Plugins: answers on sign-ins; how well each alone tells a kind (area, 0.5 is nothing)",
		"外掛：對登入的判斷次數；單獨辨別各類攻擊者的能力（曲線下面積，0.5 表示無法辨別）"))
	kinds := []Label{}
	for _, k := range r.Shipped.Kinds {
		kinds = append(kinds, k.Kind)
	}
	head := w.say("plugin\tcluster\tanswered\tabstained\tmissing", "外掛\t群集\t作答\t棄權\t缺漏")
	for _, k := range kinds {
		head += "\t" + string(k)
	}
	w.line("%s", head)
	for _, p := range r.Plugins {
		row := fmt.Sprintf("%s\t%s\t%d\t%d\t%d", p.Name, p.Cluster, p.Answered, p.Abstained, p.Missing)
		for _, k := range kinds {
			row += fmt.Sprintf("\t%.3f", p.Areas[k])
		}
		w.line("%s", row)
	}
	w.rows()
}

func (w writing) result(title string, r *Result) {
	w.line("\n== %s ==", title)
	w.line("ECE %.4f (%s), %.4f (%s)", r.ECE, w.say("even odds, all kinds", "勝算相等，全部攻擊者"), r.ECEShown, w.say("score as shown", "顯示之分數"))
	w.rates(r)
	w.repeated(r)
	w.down(r)
	w.poison(r)
}

func (w writing) rates(r *Result) {
	w.line("\n%s", w.say("Attacks asked again, where so many genuine sign-ins are (95 % interval over people)",
		"在本人登入有該比例須再驗證時，攻擊須再驗證的比例（以人為單位之 95 % 區間）"))
	head := w.say("kind\tattacks\tarea\tECE", "類別\t攻擊數\t面積\tECE")
	for _, share := range reauthentications() {
		head += fmt.Sprintf("\t%g %%", 100*share)
	}
	w.line("%s", head)
	for _, k := range r.Kinds {
		row := fmt.Sprintf("%s\t%d\t%.4f\t%.3f", k.Kind, k.Attacks, k.Area, k.ECE)
		for _, rate := range k.Rates {
			row += fmt.Sprintf("\t%.3f [%.3f, %.3f]", rate.TPR, rate.Low, rate.High)
		}
		w.line("%s", row)
		for _, v := range k.Variants {
			w.line("  %s\t%d\t\t\t\t\t%.3f", v.Variant, v.Attacks, v.TPR)
		}
	}
	w.rows()
}

func (w writing) repeated(r *Result) {
	w.line("\n%s", w.say("How often one person was asked again after so many sign-ins: median (mean)",
		"同一人在若干次登入後被要求再驗證的次數：中位數（平均）"))
	head := w.say("kind\tTPR\tof genuine", "類別\tTPR\t占本人登入")
	for _, n := range repeatedAfter() {
		head += fmt.Sprintf("\t%d", n)
	}
	w.line("%s", head)
	for _, k := range r.Kinds {
		for _, one := range k.Repeated {
			row := fmt.Sprintf("%s\t%.3f\t%.2f %%", k.Kind, one.TPR, 100*one.Share)
			for _, after := range one.After {
				row += fmt.Sprintf("\t%g (%.2f)", after.Median, after.Mean)
			}
			w.line("%s", row)
		}
	}
	w.rows()
}

func (w writing) down(r *Result) {
	w.line("\n%s", w.say("A cluster down (5 % of genuine sign-ins asked again when all is up): attacks that become allow, genuine sign-ins asked again",
		"某群集停擺時（全部正常時本人登入有 5 % 須再驗證）：轉為放行的攻擊、須再驗證的本人登入"))
	head := w.say("cluster\tκ\tasked again\tbecome allow", "群集\tκ\t須再驗證\t轉為放行")
	for _, k := range r.Kinds {
		head += "\t" + string(k.Kind)
	}
	w.line("%s", head)
	for _, d := range r.Down {
		row := fmt.Sprintf("%s\t%g\t%.1f %%\t%.1f %%", d.Cluster, d.Missing, 100*d.Reauthentication, 100*d.BecomeMean)
		for _, k := range r.Kinds {
			row += fmt.Sprintf("\t%.1f %%", 100*d.Become[k.Kind])
		}
		w.line("%s", row)
	}
	w.rows()
}

func (w writing) poison(r *Result) {
	if len(r.Poison) == 0 {
		return
	}
	w.line("\n%s", w.say("Attacks asked again at 5 %, after so many were taken for the person", "5 % 時攻擊須再驗證的比例（在攻擊者被誤認為本人若干次之後）"))
	row, last := "", Label("")
	for _, p := range r.Poison {
		if p.Kind != last {
			if row != "" {
				w.line("%s", row)
			}
			row, last = string(p.Kind), p.Kind
		}
		row += fmt.Sprintf("\t%d: %.2f", p.Familiar, p.TPR)
	}
	w.line("%s", row)
	w.rows()
}

func (w writing) fitted(c *Constants) {
	w.line("\n%s", w.say("Fitted on all kinds (the candidate)", "以全部類別擬合（候選權重）"))
	for _, g := range slices.Sorted(maps.Keys(c.Clusters)) {
		w.line("%s\tw %.3f\tρ %.3f", g, c.Clusters[g].Weight, c.Clusters[g].Correlation)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Calibration)) {
		w.line("%s\t× %.3f\t%+.3f", name, c.Calibration[name].Scale, c.Calibration[name].Shift)
	}
	w.rows()
}
