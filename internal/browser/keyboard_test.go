package browser_test

import (
	"strings"
	"testing"
)

// focus is what has it.
const focus = `(document.activeElement.getAttribute("aria-label") || document.activeElement.textContent).trim()`

// TestTheKeyboardIsEnough: to skip the navigation, to walk the graph, to read
// about a service, to go back, to open another page.
func TestTheKeyboardIsEnough(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url)
	p.until(node("ratings v1"))
	p.press("Tab")
	p.focused("Skip to the content")
	p.press("Enter")
	p.until(`document.activeElement.id === "main"`)
	p.tabTo(`.node`)
	p.seen()
	p.run(node("productpage v1") + ".focus()")
	p.press("ArrowRight")
	first := p.text(focus)
	if !strings.HasPrefix(first, "productpage v1 to ") {
		t.Errorf("the arrow to the right leads from productpage to %q, want one of its calls", first)
	}
	p.press("Enter")
	p.until(`document.querySelector(".panel h2").textContent.startsWith("productpage v1 → ")`)
	p.focused("Close the details")
	p.press("Escape")
	p.until(`!document.querySelector(".panel")`)
	p.focused(strings.Split(first, ",")[0])
	p.tabTo(`nav a[href="#/rules"]`)
	p.press("Enter")
	p.until(`document.querySelector(".page h1").textContent === "Rules"`)
	p.tabTo(`summary`)
	p.press("Enter")
	p.until(`document.querySelector("details[open] pre")?.textContent.includes("apiVersion")`)
	p.silent()
}

// focused waits for the focus to be on what begins so.
func (p *tab) focused(label string) {
	p.t.Helper()
	p.until(focus + ".startsWith(" + asJSON(p.t, label) + ")")
}

// tabTo presses Tab until the focus is where it should be: never in a trap.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 100 {
		p.press("Tab")
		if p.text(`document.activeElement.matches(`+asJSON(p.t, selector)+`)`) == "true" {
			return
		}
	}
	p.t.Fatalf("Tab does not lead to %s", selector)
}

// seen holds what has the focus to showing it.
func (p *tab) seen() {
	p.t.Helper()
	if p.text(`getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		p.t.Errorf("%q has the focus and does not show it", p.text(focus))
	}
}

// TestNarrowScreensHaveAMenu: that opens and closes by keyboard.
func TestNarrowScreensHaveAMenu(t *testing.T) {
	p, url := open(t), serve(t)
	p.must(p.Size(p.ctx, 360, 740))
	p.visit(url)
	hidden := `!document.querySelector("nav").checkVisibility()`
	p.until(hidden)
	p.tabTo("#menu")
	p.press("Enter")
	p.until(`document.querySelector("nav").checkVisibility()`)
	p.press("Escape")
	p.until(hidden)
	p.press("Enter")
	p.tabTo(`nav a[href="#/tap"]`)
	p.press("Enter")
	p.until(`document.querySelector(".page h1")?.textContent === "Tap"`)
	p.until(hidden)
}
