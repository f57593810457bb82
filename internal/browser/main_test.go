package browser_test

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/internal/browser"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if program, _ := bookinfo(); program != "" {
			_ = os.RemoveAll(filepath.Dir(program))
		}
		os.Exit(code)
	}))
}

// patience bounds every wait, on machines that are slow and busy.
const patience = 2 * time.Minute

// checks are expressions that yield a list of faults.
//
//go:embed testdata/*.js
var checks embed.FS

// A tab is a page for a test.
type tab struct {
	*browser.Page
	t   *testing.T
	ctx context.Context
}

// open opens an empty page in a browser of its own. Tests that do so run beside each
// other: most of what they do is wait.
func open(t *testing.T) *tab {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	b, err := browser.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("the browser: %v; it wrote: %s", err, b.Output())
		}
	})
	page, err := b.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{page, t, ctx}
}

// must fails the test if err is an error.
func (p *tab) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// visit opens a URL, and waits until its page has drawn what it knows.
func (p *tab) visit(url string) {
	p.t.Helper()
	p.must(p.Go(p.ctx, "about:blank")) // so that another fragment is another page
	p.must(p.Go(p.ctx, url))
	p.until(`document.querySelector(".page h1") && !document.querySelector("[aria-busy]")`)
}

func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	p.must(p.Await(ctx, expression))
}

func (p *tab) press(keys ...string) {
	p.t.Helper()
	p.must(p.Press(p.ctx, keys...))
}

// text is what an expression comes to.
func (p *tab) text(expression string) (out string) {
	p.t.Helper()
	p.must(p.Eval(p.ctx, "String("+expression+")", &out))
	return out
}

func (p *tab) run(statement string) {
	p.t.Helper()
	p.must(p.Eval(p.ctx, "void ("+statement+")", nil))
}

// faults are what a check finds.
func (p *tab) faults(check string) (out []string) {
	p.t.Helper()
	code, err := checks.ReadFile("testdata/" + check + ".js")
	p.must(err)
	p.must(p.Eval(p.ctx, string(code), &out))
	return out
}

// sound holds what is to be seen to what every page keeps.
func (p *tab) sound(what string) {
	p.t.Helper()
	for _, check := range []string{"contrast", "names", "spilled"} {
		for _, fault := range p.faults(check) {
			p.t.Errorf("%s: %s: %s", what, check, fault)
		}
	}
	if colours := p.colours(); colours < 8 {
		p.t.Errorf("%s: it has %d colours, which is a blank page", what, colours)
	}
}

// silent holds the page to having nothing to complain about.
func (p *tab) silent() {
	p.t.Helper()
	for _, complaint := range p.Complaints() {
		p.t.Errorf("the console: %s", complaint)
	}
}

// colours is how many are to be seen.
func (p *tab) colours() int {
	p.t.Helper()
	text, err := p.Screenshot(p.ctx)
	p.must(err)
	picture, err := png.Decode(bytes.NewReader(text))
	p.must(err)
	return coloursOf(picture)
}

// coloursOf counts the colours of a picture, up to what no blank page has.
func coloursOf(picture image.Image) int {
	const enough = 64
	seen := map[[3]uint32]bool{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y += 2 {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x += 2 {
			r, g, b, _ := picture.At(x, y).RGBA()
			if seen[[3]uint32{r >> 8, g >> 8, b >> 8}] = true; len(seen) == enough {
				return enough
			}
		}
	}
	return len(seen)
}

// asJSON is v as an answer.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// await waits until something is so outside of the browser.
func (p *tab) await(so func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.t.Fatal("it does not come to be")
		}
	}
}
