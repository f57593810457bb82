package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Page is a tab, with a profile of its own.
type Page struct {
	browser *Browser
	session string
	news    news
	answers map[string]string // by the ends of paths
}

// object is the parameters of a call.
type object = map[string]any

// Open opens an empty page.
func (b *Browser) Open(ctx context.Context) (*Page, error) {
	var context struct{ BrowserContextID string }
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	err := b.call(ctx, "", "Target.createBrowserContext", object{"disposeOnDetach": true}, &context)
	if err == nil {
		err = b.call(ctx, "", "Target.createTarget", object{"url": "about:blank", "browserContextId": context.BrowserContextID}, &target)
	}
	if err == nil {
		err = b.call(ctx, "", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	}
	if err != nil {
		return nil, err
	}
	p := &Page{browser: b, session: attached.SessionID}
	b.listen(p.session, p.hear)
	return p, p.prepare(ctx)
}

func (p *Page) prepare(ctx context.Context) error {
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := p.call(ctx, domain+".enable", nil, nil); err != nil {
			return err
		}
	}
	return errors.Join(p.Size(ctx, 1280, 800), p.Look(ctx, Light))
}

func (p *Page) call(ctx context.Context, method string, params, into any) error {
	return p.browser.call(ctx, p.session, method, params, into)
}

// Go opens a URL.
func (p *Page) Go(ctx context.Context, url string) error {
	var answer struct{ ErrorText string }
	if err := p.call(ctx, "Page.navigate", object{"url": url}, &answer); err != nil {
		return err
	}
	if answer.ErrorText != "" {
		return fmt.Errorf("%s: %s", url, answer.ErrorText)
	}
	return p.Await(ctx, `document.readyState === "complete"`)
}

// Size sets the size in CSS pixels.
func (p *Page) Size(ctx context.Context, width, height int) error {
	return p.call(ctx, "Emulation.setDeviceMetricsOverride",
		object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// Scheme is what colours the reader likes.
type Scheme string

// The schemes.
const (
	Light Scheme = "light"
	Dark  Scheme = "dark"
)

// Look sets it.
func (p *Page) Look(ctx context.Context, s Scheme) error {
	return p.call(ctx, "Emulation.setEmulatedMedia", object{"features": []object{
		{"name": "prefers-color-scheme", "value": s},
		{"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// Eval evaluates an expression, or waits for the promise that it is, and decodes
// its value, unless into is nil.
func (p *Page) Eval(ctx context.Context, expression string, into any) error {
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *exception
	}
	err := p.call(ctx, "Runtime.evaluate", object{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer)
	switch {
	case err != nil:
		return err
	case answer.ExceptionDetails != nil:
		return fmt.Errorf("%s: %s", expression, answer.ExceptionDetails.text())
	case into == nil || answer.Result.Value == nil:
		return nil
	}
	return json.Unmarshal(answer.Result.Value, into)
}

// Await waits until an expression is true.
func (p *Page) Await(ctx context.Context, expression string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var yes bool
		err := p.Eval(ctx, "Boolean("+expression+")", &yes)
		if yes && err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not yet true: %s: %w", expression, errors.Join(err, ctx.Err()))
		}
	}
}

// Screenshot is what is to be seen, as a PNG.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) {
	var answer struct{ Data string }
	if err := p.call(ctx, "Page.captureScreenshot", object{"format": "png"}, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Data)
}
