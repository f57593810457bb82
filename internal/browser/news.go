package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// news is what a page has told.
type news struct {
	mu         sync.Mutex
	complaints []string
	asked      []string
}

// Complaints are the errors and warnings on the console, uncaught exceptions,
// loads that failed, and breaches of the content security policy, in order.
func (p *Page) Complaints() []string {
	p.news.mu.Lock()
	defer p.news.mu.Unlock()
	return append([]string(nil), p.news.complaints...)
}

// Asked are the URLs that the page has asked for, in order.
func (p *Page) Asked() []string {
	p.news.mu.Lock()
	defer p.news.mu.Unlock()
	return append([]string(nil), p.news.asked...)
}

func (p *Page) hear(e event) {
	var url, complaint string
	switch e.method {
	case "Fetch.requestPaused":
		p.answer(e.params)
	case "Network.requestWillBeSent":
		url = requestOf(e.params)
	case "Log.entryAdded":
		complaint = entryOf(e.params)
	case "Runtime.consoleAPICalled":
		complaint = consoleOf(e.params)
	case "Runtime.exceptionThrown":
		complaint = exceptionOf(e.params)
	}
	p.news.note(url, complaint)
}

func (n *news) note(url, complaint string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if url != "" {
		n.asked = append(n.asked, url)
	}
	if complaint != "" {
		n.complaints = append(n.complaints, complaint)
	}
}

func requestOf(params json.RawMessage) string {
	var e struct{ Request struct{ URL string } }
	_ = json.Unmarshal(params, &e)
	return e.Request.URL
}

func entryOf(params json.RawMessage) string {
	var e struct {
		Entry struct{ Level, Source, Text, URL string }
	}
	_ = json.Unmarshal(params, &e)
	if e.Entry.Level != "error" && e.Entry.Level != "warning" {
		return ""
	}
	return fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
}

func consoleOf(params json.RawMessage) string {
	var e struct {
		Type string
		Args []struct {
			Value       any
			Description string
		}
	}
	_ = json.Unmarshal(params, &e)
	if e.Type != "error" && e.Type != "warning" && e.Type != "assert" {
		return ""
	}
	text := []string{"console." + e.Type}
	for _, a := range e.Args {
		text = append(text, fmt.Sprint(a.Value), a.Description)
	}
	return strings.Join(text, " ")
}

// An exception is one that nobody caught.
type exception struct {
	Text      string
	Exception struct{ Description string }
}

func (e *exception) text() string { return e.Text + " " + e.Exception.Description }

func exceptionOf(params json.RawMessage) string {
	var e struct{ ExceptionDetails exception }
	_ = json.Unmarshal(params, &e)
	return e.ExceptionDetails.text()
}
