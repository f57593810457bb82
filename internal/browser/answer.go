package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// Answer has the page's requests whose path ends in one of these answered with
// JSON from here, instead of by the server. An empty answer is a failure (500).
func (p *Page) Answer(ctx context.Context, answers map[string]string) error {
	p.answers = answers
	return p.call(ctx, "Fetch.enable", object{"patterns": []object{{"urlPattern": "*/api/*"}}}, nil)
}

// answer is called where events are read, and so waits for nothing.
func (p *Page) answer(params json.RawMessage) {
	var e struct {
		RequestID string
		Request   struct{ URL string }
	}
	_ = json.Unmarshal(params, &e)
	method, reply := "Fetch.continueRequest", object{"requestId": e.RequestID}
	if text, ok := p.answerTo(e.Request.URL); ok {
		method = "Fetch.fulfillRequest"
		reply["responseCode"] = 200
		if text == "" {
			reply["responseCode"], text = 500, `{"error": "it is broken"}`
		}
		reply["responseHeaders"] = []object{{"name": "Content-Type", "value": "application/json"}}
		reply["body"] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	if id, _, err := p.browser.send(p.session, method, reply); err == nil {
		p.browser.forget(id)
	}
}

func (p *Page) answerTo(asked string) (string, bool) {
	u, err := url.Parse(asked)
	if err != nil {
		return "", false
	}
	for path, text := range p.answers {
		if strings.HasSuffix(u.Path, path) {
			return text, true
		}
	}
	return "", false
}
