//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// budget is one thing to measure; it may give several lines.
type budget struct {
	name    string
	measure func(ctx context.Context, rounds int) ([]line, error)
}

// budgets are those of the design, section 8, as far as they are built.
var budgets = []budget{
	{"decision", decisions},
	{"latency", latencies},
	{"overload", overloads},
	{"nginx", throughNginx},
	{"ext_authz", envoys},
	{"peers", peers},
	{"sessions", sessions},
	{"engine", engine},
	{"quote", quotes},
	{"attestation", attestations},
	{"eventlog", eventLogs},
	{"agent", agent},
	{"fleet", fleets},
}

// line is one budget's result. The budget is a ratio to the floor, or a figure,
// or none where a figure explains others.
type line struct {
	name          string
	figure, floor value
	ratio         float64 // the budget as a ratio, 0 if it is a figure
	limit         value   // the budget as a figure
}

// value is a quantity with its unit.
type value struct {
	amount float64
	unit   string
}

func nanoseconds(ns float64) value { return value{ns, "ns"} }

// String shows a value with three digits in the unit that suits its size.
func (v value) String() string {
	switch v.unit {
	case "":
		return "–"
	case "ns":
		d := time.Duration(v.amount)
		switch {
		case d >= time.Second:
			return digits(d.Seconds()) + " s"
		case d >= time.Millisecond:
			return digits(d.Seconds()*1e3) + " ms"
		default:
			return digits(v.amount/1e3) + " µs"
		}
	case "bytes":
		return digits(v.amount/(1<<20)) + " MB"
	default:
		return digits(v.amount) + " " + v.unit
	}
}

func digits(f float64) string { return strconv.FormatFloat(f, 'g', 3, 64) }

// short reports whether the budget is not kept.
func (l line) short() bool {
	if l.ratio > 0 {
		return l.figure.amount > l.ratio*l.floor.amount
	}
	return l.limit.unit != "" && l.figure.amount > l.limit.amount
}

// table prints lines in columns as they come.
type table struct {
	out io.Writer
}

const columns = "%-44s %10s %10s %8s %10s  %s\n"

func newTable(out io.Writer) *table {
	fmt.Fprintf(out, columns, "name", "figure", "floor", "ratio", "budget", "")
	return &table{out}
}

func (t *table) print(l line) {
	budget, ratio, verdict := "≤ "+l.limit.String(), "–", "ok"
	if l.floor.amount > 0 {
		ratio = digits(l.figure.amount/l.floor.amount) + " ×"
	}
	if l.ratio > 0 {
		budget = "≤ " + digits(l.ratio) + " ×"
	}
	switch {
	case l.short():
		verdict = "short"
	case l.ratio == 0 && l.limit.unit == "": // told beside others that have one
		budget, verdict = "–", ""
	}
	fmt.Fprintf(t.out, columns, l.name, l.figure, l.floor, ratio, budget, verdict)
}
