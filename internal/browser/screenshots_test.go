package browser_test

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/inmesh-go/inmesh/internal/browser"
)

var update = flag.Bool("update", false, "write the screenshots that the README shows")

// screenshots is where they are, and largest how many bytes one may have.
const (
	screenshots = "../../mesh/admin/screenshots"
	largest     = 200_000
)

// TestScreenshots: the README's pictures can be taken, and those that are there are
// pictures of the same size. With -update they are taken anew.
func TestScreenshots(t *testing.T) {
	p, d := open(t), startTour(t, "-break", "v2")
	p.must(p.Size(p.ctx, 1280, 760))
	d.edit("reviews-virtualservice.yaml", "    # Canary deployment", jason+"    # Canary deployment")
	p.visit(d.url)
	p.until(node("ratings v1"))
	if *update { // while the ill server's failures are to be seen
		p.until(call("productpage v1", "reviews v2") + `?.matches(".bad, .warn")`)
	}
	p.run(call("productpage v1", "reviews v2") + ".click()")
	p.until(`document.querySelector(".panel .chart polyline")?.points.length > 6`)
	p.take("topology")

	p.must(p.Size(p.ctx, 1280, 900))
	p.must(p.Look(p.ctx, browser.Dark))
	p.visit(d.url + "#/explain?host=reviews&path=/reviews/7")
	p.until(`document.querySelector(".routes .matched")`)
	p.take("explain")
}

// take takes a picture of the page.
func (p *tab) take(name string) {
	p.t.Helper()
	path := filepath.Join(screenshots, name+".png")
	p.run(`document.activeElement.blur()`)
	text, err := p.Screenshot(p.ctx)
	p.must(err)
	if *update {
		p.must(os.WriteFile(path, text, 0o644))
	}
	kept, err := os.ReadFile(path)
	p.must(err)
	now, err := png.Decode(bytes.NewReader(text))
	p.must(err)
	then, err := png.Decode(bytes.NewReader(kept))
	p.must(err)
	if now.Bounds() != then.Bounds() || coloursOf(now) < 50 || coloursOf(then) < 50 || len(kept) > largest {
		p.t.Errorf("%s: the picture is of %v and %d bytes, the page of %v", path, then.Bounds(), len(kept), now.Bounds())
	}
}
