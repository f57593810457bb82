package topology

import (
	"fmt"
	"strconv"
	"strings"
)

// DOT is the graph in Graphviz' language: dot -Tsvg draws it.
func (g Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph mesh {\n\trankdir=LR\n\tnode [shape=box, style=rounded]\n")
	for _, v := range g.Nodes {
		fmt.Fprintf(&b, "\t%s\n", dotQuote(v.ID))
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		fmt.Fprintf(&b, "\t%s -> %s [label=%s%s]\n", dotQuote(e.Source), dotQuote(e.Target), dotQuote(e.label()), e.dotStyle())
	}
	b.WriteString("}\n")
	return b.String()
}

// dotQuote makes a quoted string: "In quoted strings in DOT, the only escaped
// character is double-quote" (https://graphviz.org/doc/info/lang.html). Labels
// know backslashes, too.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\r", " ").Replace(s) + `"`
}

func (e *Edge) dotStyle() string {
	if e.Errors > 0 {
		return `, color=red`
	}
	if e.idle() {
		return `, style=dashed`
	}
	return ""
}

// Mermaid is the graph as a flowchart, which GitHub draws.
func (g Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	names := map[string]string{}
	for i, v := range g.Nodes {
		names[v.ID] = "n" + strconv.Itoa(i)
		fmt.Fprintf(&b, "\t%s[%s]\n", names[v.ID], mermaidQuote(v.ID))
	}
	for i := range g.Edges {
		e := &g.Edges[i]
		arrow := "-->"
		if e.idle() {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "\t%s %s|%s| %s\n", names[e.Source], arrow, mermaidQuote(e.label()), names[e.Target])
	}
	return b.String()
}

// mermaidQuote makes a quoted string; in it, entities stand for what would end it
// or be read as HTML.
func mermaidQuote(s string) string {
	return `"` + strings.NewReplacer(`#`, "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "\r", " ").Replace(s) + `"`
}

// idle says that nothing passes.
func (e *Edge) idle() bool { return e.Requests == 0 && e.Connections == 0 }

// label is what is written on an edge.
func (e *Edge) label() string {
	out := e.Protocol
	if e.Secure {
		out += " mTLS"
	}
	out += " " + legible(e.Requests) + "/s"
	if e.Errors > 0 {
		out += " " + legible(100*e.ErrorRate) + "% errors"
	}
	if e.Connections > 0 {
		out += fmt.Sprintf(" %g open", e.Connections)
	}
	if e.Requests > 0 && e.P99 > 0 {
		out += " p99 " + legible(e.P99) + " ms"
	}
	return out
}

// legible is a number to three digits, without the exponent that %g has from a thousand on.
func legible(f float64) string {
	if f >= 999.5 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}
