package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/internal/browser"
)

// TestEveryPageOfTheTour: on wide screens and on phones, by day and by night, they
// can be read, fit, complain of nothing, and ask nobody but the process.
func TestEveryPageOfTheTour(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url)
	p.until(node("ratings v1"))
	for _, width := range []int{1280, 360} {
		for _, scheme := range []browser.Scheme{browser.Light, browser.Dark} {
			p.must(p.Size(p.ctx, width, 800))
			p.must(p.Look(p.ctx, scheme))
			for _, name := range all() {
				p.visit(d.url + "#/" + name)
				p.sound(fmt.Sprintf("%s, %s at %d", name, scheme, width))
			}
		}
	}
	p.silent()
	for _, url := range p.Asked() {
		if !strings.HasPrefix(url, d.url) && url != "about:blank" {
			t.Errorf("it asks for %s", url)
		}
	}
}

// jason is a route that gives one user the newest version.
const jason = `    - match:
        - headers:
            end-user:
              exact: jason
      route:
        - destination:
            host: reviews
            subset: v3
`

func TestExplainGivesTheRightRule(t *testing.T) {
	p, d := open(t), startTour(t)
	d.edit("reviews-virtualservice.yaml", "    # Canary deployment", jason+"    # Canary deployment")
	p.visit(d.url + "#/rules")
	p.until(`document.querySelector("main").textContent.includes("jason")`)
	p.visit(d.url + "#/explain")
	p.tabTo(`[name=host]`)
	p.must(p.Type(p.ctx, "reviews"))
	p.press("Enter")
	p.until(`document.querySelector(".outcome")?.textContent.includes("90 % reviews.default v1, 10 % reviews.default v2")`)
	p.until(`/VirtualService default.reviews/.test(document.querySelector(".answer").textContent)`)
	p.until(`document.querySelector(".answer").textContent.includes("reviews-virtualservice.yaml:2")`)
	p.until(`document.querySelector(".routes li:not(.matched)").textContent.includes("end-user")`)

	p.tabTo(`[name=headers]`)
	p.must(p.Type(p.ctx, "End-User: jason"))
	p.press("Tab", "Enter")
	p.until(`document.querySelector(".outcome")?.textContent.includes("reviews.default v3")`)
	p.silent()
}

// TestExplainSaysWhomTheOtherSideRefuses: productpage may call reviews, and not
// ratings.
func TestExplainSaysWhomTheOtherSideRefuses(t *testing.T) {
	p, d := open(t), startTour(t)
	for host, want := range map[string]string{"reviews": "let in", "ratings": "refused"} {
		p.visit(d.url + "#/explain?host=" + host)
		p.until(`document.querySelector(".answer .facts .badge").textContent === "` + want + ` on the other side"`)
		p.until(`document.querySelector(".access").textContent.includes("` + want + `")`)
		p.until(`document.querySelector(".access").textContent.includes("sa/productpage")`)
		p.sound(host)
	}
	p.silent()
}

// TestRejectedRulesAreShownWithFileAndLine: everywhere that they are, and until
// they are put right.
func TestRejectedRulesAreShownWithFileAndLine(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/rules")
	d.edit("reviews-virtualservice.yaml", "weight: 10", "wieght: 10")
	p.until(`/reviews-virtualservice.yaml:\d+/.test([...document.querySelectorAll("tr.bad")].map((r) => r.textContent).join())`)
	p.until(`document.querySelector("tr.bad").textContent.includes("wieght")`)
	p.sound("rejected rules")
	p.visit(d.url)
	p.until(`document.querySelector("#self .bad")`)
	d.edit("reviews-virtualservice.yaml", "wieght: 10", "weight: 10")
	p.until(`!document.querySelector("#self .bad")`)
	p.silent()
}

func TestTheTapShowsWhatPassesTheFilter(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/tap")
	p.run(`document.querySelector("[name=service]").value = "details"`)
	p.run(`document.querySelector("[name=direction]").value = "outbound"`)
	p.run(`document.querySelector(".toggle").click()`)
	p.until(`document.querySelectorAll("tbody tr").length > 20`)
	p.run(`document.querySelector(".toggle").click()`)
	p.until(`document.querySelector(".toggle").textContent.includes("Start")`)
	if others := p.text(`[...document.querySelectorAll("tbody tr")].map((r) => r.textContent).filter((r) => !r.includes("/details/0") || !r.includes("sent"))`); others != "" {
		t.Errorf("the filter lets through: %s", others)
	}
	p.run(`document.querySelector(".opens").click()`)
	p.until(`document.querySelector("[aria-label=Headers]") && document.querySelector("main").textContent.includes("VirtualService default/details")`)
	p.sound("tap")
	p.silent()
}
