package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// comparePeers orders rows as requests travel.
func comparePeers(a, b peer) int {
	order := map[string]int{"details": 1, "reviews": 2, "ratings": 3}
	return cmp.Or(cmp.Compare(order[a.service], order[b.service]), cmp.Compare(a.service, b.service), cmp.Compare(a.version, b.version))
}

const tableRow = "%-14s %9s %7s %7s %8s %10s %9s %9s"

// table is the picture as lines of at most 80 columns.
func (p picture) table() []string {
	lines := []string{
		fmt.Sprintf(tableRow, "", "requests", "share", "errors", "retries", "ejections", "p50", "p99"),
		p.pages.line("pages", ""),
	}
	for _, f := range p.rows {
		share := ""
		if f.service == "reviews" {
			share = fmt.Sprintf("%.1f%%", p.share(f))
		}
		lines = append(lines, f.line(f.service+" "+f.version, share))
	}
	return lines
}

func (f figures) line(name, share string) string {
	ejections := fmt.Sprint(f.ejections)
	if f.out > 0 {
		ejections = fmt.Sprintf("%d (%d out)", f.ejections, f.out)
	}
	return fmt.Sprintf(tableRow, name, fmt.Sprint(f.requests), share, fmt.Sprint(f.errors), fmt.Sprint(f.retries),
		ejections, millis(f.p50), millis(f.p99))
}

// millis is a duration as tables show it; nothing if there is none.
func millis(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fms", inMillis(d))
}

func inMillis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// plain is the picture in one line, for where a table cannot be redrawn.
func (p picture) plain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pages %d", p.pages.requests)
	for _, f := range p.rows {
		if f.service == "reviews" {
			fmt.Fprintf(&b, "  %s %.1f%%", f.version, p.share(f))
		}
	}
	fmt.Fprintf(&b, "  errors %d  retries %d  ejections %d  p50 %s  p99 %s",
		p.pages.errors, p.pages.retries, p.pages.ejections, millis(p.pages.p50), millis(p.pages.p99))
	return b.String()
}
