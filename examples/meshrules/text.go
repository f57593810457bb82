package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/inmesh-go/inmesh/mesh"
)

// A page is text in aligned columns.
type page struct{ *tabwriter.Writer }

func (p page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// fact writes one line about the request as a whole.
func (p page) fact(name, format string, args ...any) {
	p.line("%-8s "+format, append([]any{name}, args...)...)
}

// writeExplanation is the explanation for people, in the order in which a mesh
// decides.
func writeExplanation(w io.Writer, q question, e mesh.Explanation) error {
	p := page{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	p.line("%s %s", q.request.Method, q.request.URL)
	p.who(e)
	p.routes(e)
	p.what(e)
	p.destinations("to", e.Destinations)
	p.destinations("copies to", e.Mirrors)
	p.list("note that", e.Notes)
	return p.Flush()
}

func (p page) who(e mesh.Explanation) {
	p.fact("host", "%s", address(e.Service, e.Port))
	switch {
	case e.Rule != nil:
		p.fact("rule", "%s", reference(e.Rule))
	case e.Ours:
		p.fact("rule", "no VirtualService has the host: the default route")
	case e.Refused == "":
		p.fact("rule", "no rule knows the host: the request passes unchanged")
	}
	for _, loser := range e.Losers {
		p.fact("", "%s has no effect: the host belongs to the one above", reference(&loser))
	}
}

// address is a host, and a port if there is one.
func address(host string, port uint16) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// reference is a rule and where it stands, as editors and terminals open it.
func reference(r *mesh.RuleRef) string {
	text := fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name)
	if r.File == "" {
		return text
	}
	return fmt.Sprintf("%s (%s:%d)", text, r.File, r.Line)
}

func (p page) routes(e mesh.Explanation) {
	if e.Rule == nil {
		return
	}
	p.line("routes")
	reached := true
	for _, r := range e.Routes {
		p.route(r, reason(r, reached))
		reached = reached && !r.Matched
	}
}

func (p page) route(r mesh.RouteExplanation, reason string) {
	mark, name := " ", r.Field
	if r.Matched {
		mark = "*"
	}
	if r.Name != r.Field {
		name += " " + r.Name
	}
	p.line("  %s %s\tline %d\t%s", mark, name, r.Line, reason)
}

func reason(r mesh.RouteExplanation, reached bool) string {
	switch {
	case r.Matched:
		return "takes the request"
	case len(r.Failed) > 0:
		return "no: " + strings.Join(r.Failed, "; ")
	case !reached:
		return "would too, but stands behind"
	}
	return "no"
}

// what becomes of the request.
func (p page) what(e mesh.Explanation) {
	if e.Refused != "" {
		p.fact("refused", "%s", e.Refused)
	}
	if e.Action == "" {
		return
	}
	p.fact("action", "%s", e.Action)
	if e.Action != "forward" {
		return
	}
	p.fact("timeout", "%s", cmp.Or(e.Timeout, "none"))
	p.fact("retries", "%s", cmp.Or(e.Retries, "none"))
	if len(e.Faults) > 0 {
		p.fact("faults", "%s", strings.Join(e.Faults, "; "))
	}
}

func (p page) destinations(title string, all []mesh.DestinationExplanation) {
	if len(all) == 0 {
		return
	}
	p.line("%s", title)
	for _, d := range all {
		p.line("  %s\t%s", percent(d.Share), target(d))
		p.line("\t  %s", policy(d))
		for _, text := range endpoints(d) {
			p.line("\t  %s", text)
		}
	}
}

// endpoints are where the requests may end, or why there are none.
func endpoints(d mesh.DestinationExplanation) (lines []string) {
	for _, text := range []string{d.Missing, d.Trouble} {
		if text != "" {
			lines = append(lines, text)
		}
	}
	for _, h := range d.Hosts {
		text := h.Address
		if h.Locality != "" {
			text += " in " + h.Locality
		}
		if h.TLS != "none" {
			text += ", TLS: " + h.TLS
		}
		lines = append(lines, text)
	}
	return lines
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", 100*share) }

func target(d mesh.DestinationExplanation) string {
	text := address(d.Host, d.Port)
	if d.Subset != "" {
		text += " subset " + d.Subset
	}
	for _, key := range slices.Sorted(maps.Keys(d.Labels)) {
		text += fmt.Sprintf(" %s=%s", key, d.Labels[key])
	}
	return text
}

// policy is how the endpoints are treated, and who says so.
func policy(d mesh.DestinationExplanation) string {
	text := d.Balance
	if d.Hash != "" {
		text += " by " + d.Hash
	}
	if d.Policy == nil {
		return text + ", no DestinationRule"
	}
	return text + ", " + reference(d.Policy)
}

func (p page) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	p.line("%s", title)
	for _, i := range items {
		p.line("  - %s", i)
	}
}
