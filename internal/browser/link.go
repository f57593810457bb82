package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errGone is the end of the browser.
var errGone = errors.New("the browser is gone")

// A message is one of the DevTools protocol: a call, its answer, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"` // of a page; "": the browser itself
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// An event is news of a page.
type event struct {
	method string
	params json.RawMessage
}

// A link carries messages, each of which ends with a zero byte.
type link struct {
	to   io.WriteCloser
	from io.ReadCloser
	gone chan struct{} // closed when nothing more will be read

	mu       sync.Mutex
	last     int
	waiting  map[int]chan message
	sessions map[string]func(event)
}

func newLink(to io.WriteCloser, from io.ReadCloser) *link {
	l := &link{
		to: to, from: from, gone: make(chan struct{}),
		waiting: map[int]chan message{}, sessions: map[string]func(event){},
	}
	go l.read()
	return l
}

func (l *link) close() error {
	err := errors.Join(l.to.Close(), l.from.Close())
	<-l.gone
	return err
}

// call calls a method and decodes its result, unless into is nil.
func (l *link) call(ctx context.Context, session, method string, params, into any) error {
	id, answer, err := l.send(session, method, params)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer l.forget(id)
	select {
	case m := <-answer:
		return m.decode(method, into)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case <-l.gone:
		return fmt.Errorf("%s: %w", method, errGone)
	}
}

func (l *link) send(session, method string, params any) (int, chan message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	text, err := json.Marshal(message{ID: l.last, Session: session, Method: method, Params: params})
	if err != nil {
		return 0, nil, err
	}
	if _, err := l.to.Write(append(text, 0)); err != nil {
		return 0, nil, err
	}
	answer := make(chan message, 1)
	l.waiting[l.last] = answer
	return l.last, answer, nil
}

func (l *link) forget(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
}

func (m *message) decode(method string, into any) error {
	switch {
	case m.Error != nil:
		return fmt.Errorf("%s: %s", method, m.Error.Message)
	case into == nil:
		return nil
	}
	return json.Unmarshal(m.Result, into)
}

// listen has the events of a session delivered, one after the other; hear must be
// quick.
func (l *link) listen(session string, hear func(event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[session] = hear
}

func (l *link) read() {
	defer close(l.gone)
	in := bufio.NewReader(l.from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		l.deliver(bytes.TrimSuffix(text, []byte{0}))
	}
}

func (l *link) deliver(text []byte) {
	var params json.RawMessage
	m := message{Params: &params}
	if json.Unmarshal(text, &m) != nil {
		return // nobody waits for what is no message
	}
	l.mu.Lock()
	answer, hear := l.waiting[m.ID], l.sessions[m.Session]
	l.mu.Unlock()
	switch {
	case answer != nil:
		answer <- m
	case hear != nil:
		hear(event{m.Method, params})
	}
}
