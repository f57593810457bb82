package browser_test

import (
	"fmt"
	"testing"
	"time"
)

// call is a label in the graph: of the call from one workload to another.
func call(from, to string) string {
	return fmt.Sprintf(`document.querySelector('.edge[aria-label^="%s to %s,"]')`, from, to)
}

func node(name string) string {
	return fmt.Sprintf(`document.querySelector('.node[aria-label^="%s,"]')`, name)
}

// driven are the calls that the tour makes, by its rules as they stand.
func driven() map[string][]string {
	return map[string][]string{
		"productpage v1": {"details v1", "reviews v1", "reviews v2"},
		"reviews v2":     {"ratings v1"},
	}
}

func TestTheGraphHasTheServicesAndCallsThatWereDriven(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url)
	for from, to := range driven() {
		for _, to := range to {
			p.until(node(from))
			p.until(node(to))
			p.until(call(from, to) + `?.getAttribute("aria-label").includes("mutual TLS")`)
		}
	}
	p.until(call("productpage v1", "reviews v1") + `?.textContent.includes("%")`)
	p.until(`[...document.querySelectorAll(".group")].map((g) => g.textContent).join() === "reviews"`)
	if n := p.text(`document.querySelectorAll('.node[aria-label*="v3"]').length`); n != "0" {
		t.Error("reviews v3 is there, which nobody has called")
	}
	p.silent()
}

// TestTheSplitFollowsAnEditedRule: a version that gets a share appears, and shares
// change, soon after the edit is in force; how soon is said, for machines differ.
func TestTheSplitFollowsAnEditedRule(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url)
	p.until(call("productpage v1", "reviews v2"))
	before := d.version()
	saved := time.Now()
	d.edit("reviews-virtualservice.yaml", "subset: v2", "subset: v3")
	p.await(func() bool { return d.version() != before })
	inForce := time.Now()
	p.until(call("productpage v1", "reviews v3"))
	seen := time.Now()
	t.Logf("in force %v after it was saved, on screen %v later", inForce.Sub(saved).Round(time.Millisecond), seen.Sub(inForce).Round(time.Millisecond))

	d.edit("reviews-virtualservice.yaml", "weight: 90", "weight: 20")
	d.edit("reviews-virtualservice.yaml", "weight: 10", "weight: 80")
	p.until(`parseFloat(` + call("productpage v1", "reviews v3") + `?.textContent) > 50`)
	p.until(call("productpage v1", "reviews v2") + `?.textContent.includes("idle")`)
	p.silent()
}

// TestTheTableSaysTheSame as the graph, to those who would rather read.
func TestTheTableSaysTheSame(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/topology?view=table")
	p.until(`[...document.querySelectorAll("tbody tr")].some((r) => /productpage v1.*reviews v2.*mTLS/s.test(r.textContent))`)
	p.run(`document.querySelector("thead button").click()`)
	p.until(`document.querySelector("thead th").getAttribute("aria-sort") === "ascending"`)
	p.run(`[...document.querySelectorAll("tbody button")].find((b) => b.textContent === "reviews v2").click()`)
	p.until(`document.querySelector(".panel h2").textContent.includes("reviews v2 → ratings v1")`)
	p.silent()
}
