package backtest

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// The picture is four panels: the curves, the calibration, repeated
// reauthentication, poisoning. Every line of it stands in the text, too.
const (
	pictureWidth  = 960
	pictureHeight = 760
	panelWidth    = 380
	panelHeight   = 260
)

// inks are told apart by lightness, too, and on paper by their dashes.
func inks() []ink {
	return []ink{{"#1b6ca8", ""}, {"#c2571a", "7 3"}, {"#3f7d3a", "2 3"}, {"#7a3e8e", "9 3 2 3"}, {"#555555", "1 2"}}
}

type ink struct{ color, dash string }

type drawing struct {
	bytes.Buffer
	say Say
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.Buffer, format+"\n", args...) }

// panel is one diagram with its place on the picture.
type panel struct {
	left, top float64
	toX, toY  func(float64) float64 // 0 to 1, of the panel
	title     string
	labelX    string
	ticksX    []float64
	ticksY    []float64
	percentX  bool
	percentY  bool
}

func (p *panel) x(v float64) float64 { return p.left + panelWidth*max(0, min(1, p.toX(v))) }
func (p *panel) y(v float64) float64 { return p.top + panelHeight*(1-max(0, min(1, p.toY(v)))) }

// Picture draws the report: the held-out result, or the shipped one where
// nothing was fitted. It is a whole SVG document.
func Picture(r *Report, say Say) []byte {
	d := &drawing{say: say}
	result := &r.Shipped
	which := say("weights in force", "現行權重")
	if r.HeldOut != nil {
		result, which = r.HeldOut, say("fitted weights, each kind of attacker held out", "擬合權重（各類攻擊者逐一排除於擬合之外）")
	}
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222" role="img">`, pictureWidth, pictureHeight)
	d.put(`<title>%s</title>`, html.EscapeString(say("Backtest", "回溯測試")+": "+r.Source))
	d.put(`<rect width="%d" height="%d" fill="#fff"/>`, pictureWidth, pictureHeight)
	d.put(`<text x="60" y="30" font-size="16" font-weight="bold">%s</text>`, html.EscapeString(say("Backtest", "回溯測試")+": "+which))
	d.put(`<text x="60" y="48" fill="#555">%s</text>`, html.EscapeString(r.Source))
	d.legend(result)
	d.curves(result)
	d.calibration(result)
	d.repeated(result)
	d.poison(result)
	d.put(`</svg>`)
	return d.Bytes()
}

func (d *drawing) legend(r *Result) {
	for i, k := range r.Kinds {
		x, ink := 60+170*i, inks()[i%len(inks())]
		d.put(`<path d="M%d 66h28" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%d" y="70">%s</text>`,
			x, ink.color, ink.dash, x+34, html.EscapeString(d.kind(k.Kind)))
	}
}

func (d *drawing) kind(k Label) string {
	switch k {
	case Naive:
		return d.say("naive", "一般攻擊者")
	case VPN:
		return d.say("VPN", "VPN 攻擊者")
	case Targeted:
		return d.say("targeted", "針對性攻擊者")
	case VeryTargeted:
		return d.say("very targeted", "高度針對性攻擊者")
	}
	return string(k)
}

func linear(low, high float64) func(float64) float64 {
	return func(v float64) float64 { return (v - low) / (high - low) }
}

func logarithmic(low, high float64) func(float64) float64 {
	return func(v float64) float64 { return math.Log(max(v, low)/low) / math.Log(high/low) }
}

func (d *drawing) frame(p *panel) {
	d.put(`<text x="%.0f" y="%.0f" font-weight="bold">%s</text>`, p.left, p.top-10, html.EscapeString(p.title))
	for _, v := range p.ticksY {
		y := p.y(v)
		d.put(`<path d="M%.1f %.1fh%d" stroke="#e3e3e3"/><text x="%.1f" y="%.1f" text-anchor="end" fill="#555">%s</text>`,
			p.left, y, panelWidth, p.left-6, y+4, tick(v, p.percentY))
	}
	for _, v := range p.ticksX {
		x := p.x(v)
		d.put(`<path d="M%.1f %.1fv%d" stroke="#e3e3e3"/><text x="%.1f" y="%.1f" text-anchor="middle" fill="#555">%s</text>`,
			x, p.top, panelHeight, x, p.top+panelHeight+16, tick(v, p.percentX))
	}
	d.put(`<text x="%.1f" y="%.1f" text-anchor="middle" fill="#555">%s</text>`, p.left+panelWidth/2, p.top+panelHeight+34, html.EscapeString(p.labelX))
}

func tick(v float64, percent bool) string {
	if percent {
		return fmt.Sprintf("%g %%", math.Round(1000*v)/10)
	}
	return fmt.Sprintf("%g", v)
}

// series draws a line through points.
func (d *drawing) series(p *panel, number int, xs, ys []float64) {
	if len(xs) == 0 {
		return
	}
	ink, path := inks()[number%len(inks())], ""
	for i := range xs {
		command := "L"
		if i == 0 {
			command = "M"
		}
		path += fmt.Sprintf("%s%.1f %.1f", command, p.x(xs[i]), p.y(ys[i]))
	}
	d.put(`<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`, path, ink.color, ink.dash)
}

func (d *drawing) curves(r *Result) {
	p := &panel{
		left: 60, top: 110, toX: logarithmic(0.001, 1), toY: linear(0, 1), percentX: true, percentY: true,
		title:  d.say("Attacks asked again", "須再驗證的攻擊"),
		labelX: d.say("genuine sign-ins asked again", "須再驗證的本人登入"),
		ticksX: []float64{0.001, 0.01, 0.05, 0.1, 1}, ticksY: []float64{0, 0.25, 0.5, 0.75, 1},
	}
	d.frame(p)
	for i, k := range r.Kinds {
		var xs, ys []float64
		for _, point := range k.ROC {
			xs, ys = append(xs, point.Reauthentication), append(ys, point.TPR)
		}
		d.series(p, i, xs, ys)
		for _, rate := range k.Rates {
			x := p.x(rate.Reauthentication)
			d.put(`<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-width="4" opacity="0.45"/>`, x, p.y(rate.Low), p.y(rate.High), inks()[i%len(inks())].color)
		}
	}
}

func (d *drawing) calibration(r *Result) {
	p := &panel{
		left: 540, top: 110, toX: linear(0, 1), toY: linear(0, 1), percentX: true, percentY: true,
		title:  fmt.Sprintf("%s (ECE %.3f)", d.say("How often it was the person", "實際為本人的比例"), r.ECE),
		labelX: d.say("what the plugins said, at even odds", "外掛的判斷（勝算相等時）"),
		ticksX: []float64{0, 0.25, 0.5, 0.75, 1}, ticksY: []float64{0, 0.25, 0.5, 0.75, 1},
	}
	d.frame(p)
	d.put(`<path d="M%.1f %.1fL%.1f %.1f" stroke="#999" stroke-dasharray="4 4"/>`, p.x(0), p.y(0), p.x(1), p.y(1))
	for _, b := range r.Bins {
		d.put(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="#1b6ca8" opacity="0.6"/>`, p.x(b.Said), p.y(b.True), 3+14*math.Sqrt(b.Share))
	}
}

func (d *drawing) repeated(r *Result) {
	highest := 1.0
	for _, k := range r.Kinds {
		for _, after := range k.Repeated[0].After {
			highest = max(highest, math.Ceil(after.Mean))
		}
	}
	p := &panel{
		left: 60, top: 440, toX: logarithmic(1, 40), toY: linear(0, highest),
		title:  fmt.Sprintf(d.say("Times one person was asked again, mean, at TPR %.2f", "同一人被要求再驗證的平均次數（TPR %.2f）"), repeatedRates()[0]),
		labelX: d.say("sign-ins so far", "累計登入次數"), ticksX: []float64{1, 2, 4, 12, 40},
		ticksY: []float64{0, highest / 4, highest / 2, 3 * highest / 4, highest},
	}
	d.frame(p)
	for i, k := range r.Kinds {
		var xs, ys []float64
		for _, after := range k.Repeated[0].After {
			xs, ys = append(xs, float64(after.SignIns)), append(ys, after.Mean)
		}
		d.series(p, i, xs, ys)
	}
}

func (d *drawing) poison(r *Result) {
	p := &panel{
		left: 540, top: 440, toX: linear(0, 12), toY: linear(0, 1), percentY: true,
		title:  d.say("Attacks asked again at 5 %", "5 % 時須再驗證的攻擊"),
		labelX: d.say("attacks taken for the person before", "先前被誤認為本人的攻擊次數"),
		ticksX: []float64{0, 2, 4, 6, 8, 10, 12}, ticksY: []float64{0, 0.25, 0.5, 0.75, 1},
	}
	d.frame(p)
	for i, k := range r.Kinds {
		var xs, ys []float64
		for _, one := range r.Poison {
			if one.Kind == k.Kind {
				xs, ys = append(xs, float64(one.Familiar)), append(ys, one.TPR)
			}
		}
		d.series(p, i, xs, ys)
	}
}
