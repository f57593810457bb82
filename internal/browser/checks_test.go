package browser_test

import (
	"strings"
	"testing"
)

// TestChecksFindWhatTheyLookFor holds the checks of pages to something.
func TestChecksFindWhatTheyLookFor(t *testing.T) {
	p := open(t)
	p.must(p.Go(p.ctx, "about:blank"))
	for check, body := range map[string]string{
		"contrast": `<p style="color:#999;background:#fff">pale</p>`,
		"names":    `<button></button>`,
		"spilled":  `<p style="width:3000px">wide</p>`,
	} {
		p.run("document.body.innerHTML = " + asJSON(t, body))
		if got := p.faults(check); len(got) != 1 {
			t.Errorf("%s: got %v, want one fault", check, got)
		}
	}
	p.run(`console.error("something is", "wrong"), setTimeout(() => { throw new Error("nobody catches this") })`)
	p.await(func() bool { return strings.Contains(strings.Join(p.Complaints(), "\n"), "nobody catches this") })
	if got := p.Complaints(); len(got) != 2 {
		t.Errorf("got %q, want two complaints", got)
	}
}
