package main

import (
	"fmt"
	"io"
)

// A table prints figures as they come, each beside its budget.
type table struct {
	w    io.Writer
	over int
	rows int // that have a budget
}

func newTable(w io.Writer) *table { return &table{w: w} }

func (t *table) section(title string) {
	fmt.Fprintf(t.w, "\n%-62s %12s %14s\n", title, "measured", "budget")
}

// note is a figure without a budget.
func (t *table) note(what string, got figure) { t.row(what, got.String(), "", "") }

// target is a figure with a budget that was set on another machine, so that it is
// not judged by it.
func (t *table) target(what string, got figure, limit float64) {
	t.row(what, got.String(), "("+figure{limit, got.unit}.String()+")", "")
}

// atMost is a figure that must not exceed limit.
func (t *table) atMost(what string, got figure, limit float64) {
	t.row(what, got.String(), "≤ "+figure{limit, got.unit}.String(), t.judge(got.value <= limit))
}

// atLeast is a figure that must reach limit.
func (t *table) atLeast(what string, got figure, limit float64) {
	t.row(what, got.String(), "≥ "+figure{limit, got.unit}.String(), t.judge(got.value >= limit))
}

func (t *table) judge(pass bool) string {
	t.rows++
	if pass {
		return "pass"
	}
	t.over++
	return "OVER"
}

func (t *table) row(what, got, budget, verdict string) {
	fmt.Fprintf(t.w, "  %-60s %12s %14s  %s\n", what, got, budget, verdict)
}

func (t *table) end() {
	fmt.Fprintf(t.w, "\n%d of %d figures are within their budget.\n", t.rows-t.over, t.rows)
}

// A figure is a number and what it counts.
type figure struct {
	value float64
	unit  string
}

// String shows as many digits as mean something.
func (f figure) String() string {
	switch {
	case f.unit == "×":
		return fmt.Sprintf("%.2f ×", f.value)
	case f.value >= 10 || f.value == float64(int(f.value)):
		return fmt.Sprintf("%.0f %s", f.value, f.unit)
	}
	return fmt.Sprintf("%.1f %s", f.value, f.unit)
}
