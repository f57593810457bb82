package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"time"
)

// A lostError is a connection that ended before the first byte of an answer. It
// does not leave the package.
type lostError struct {
	err  error
	sent bool // some of the request
}

// Error is the cause's.
func (e *lostError) Error() string { return e.err.Error() }

// A timeoutError is a limit of the Pool's own.
type timeoutError string

// Error says which.
func (e timeoutError) Error() string { return string(e) }

// Timeout is what os.IsTimeout asks.
func (timeoutError) Timeout() bool { return true }

// Is makes it a context.DeadlineExceeded, as net/http's is.
func (timeoutError) Is(err error) bool { return err == context.DeadlineExceeded }

var errSwitched = errors.New("h1: the server switches protocols, which nobody asked for")

const errHeaderTime = timeoutError("h1: no answer within the time for its head")

// exchange sends a message and returns the answer, whose body gives the
// connection up when it has been read or closed. After an error the connection
// is closed.
func (c *conn) exchange(t trip, m *message) (*http.Response, error) {
	c.begin(m)
	c.leash.tie(t.ctx)
	sent := c.send(m)
	resp, err := c.answer(t.request, m, sent)
	if err != nil {
		c.abandon()
		return nil, t.explain(err)
	}
	c.deliver(t, m, resp)
	return resp, nil
}

// answer reads up to the end of the answer's head. It looks for one even where
// not all could be sent: a server that hangs up in the middle of a request may
// have said why.
func (c *conn) answer(r *http.Request, m *message, sent sending) (*http.Response, error) {
	c.room = c.pool.config.MaxHeader
	if limit := c.pool.config.HeaderTimeout; limit > 0 {
		late := time.AfterFunc(limit, c.cut)
		resp, err := c.read(r, m, sent)
		if !late.Stop() {
			return nil, errHeaderTime
		}
		return resp, err
	}
	return c.read(r, m, sent)
}

func (c *conn) read(r *http.Request, m *message, sent sending) (*http.Response, error) {
	if _, err := c.in.Peek(1); err != nil {
		return nil, c.lost(err, m, sent)
	}
	resp, err := c.head(r)
	if err != nil {
		c.abort(m, sent)
		return nil, err
	}
	return resp, nil
}

// lost says why there will be no answer. The server may have said it, as TLS does
// of a client that it refuses; else it is why the message could not be written.
// Writing that is still under way is ended here, which is not it.
func (c *conn) lost(err error, m *message, sent sending) error {
	writing := c.out != nil
	sent = c.abort(m, sent)
	silent := errors.Is(err, os.ErrDeadlineExceeded) || err == io.EOF && !writing
	if sent.err != nil && silent {
		err = sent.err
	}
	return &lostError{err, sent.n > 0}
}

// head reads heads until one is the answer's: RFC 9110 §15.2, "A client MUST be
// able to parse one or more 1xx responses received prior to a final response,
// even if the client does not expect one."
func (c *conn) head(r *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.in, r)
		switch {
		case err != nil && c.room <= 0:
			return nil, fmt.Errorf("h1: the answer's head has more than %d bytes", c.pool.config.MaxHeader)
		case err != nil:
			return nil, fmt.Errorf("h1: the connection broke: %w", err)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case resp.StatusCode < 100 || resp.StatusCode > 199:
			c.room = math.MaxInt64
			return resp, nil
		}
	}
}

// deliver hands the connection to the answer's body. Without a body it is free
// at once.
func (c *conn) deliver(t trip, m *message, resp *http.Response) {
	resp.TLS = c.tls
	c.settle(m)
	reuse := !m.closes && !resp.Close && resp.StatusCode > 199
	if resp.Body == http.NoBody {
		c.finish(reuse)
		t.end()
		return
	}
	b := &body{source: resp.Body, conn: c, trip: t, reuse: reuse}
	resp.Body = b
	if m.gzip {
		unpack(resp, b)
	}
}
