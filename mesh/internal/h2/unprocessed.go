package h2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// ErrUnprocessed says that nobody has worked on a request: it may be sent again,
// whatever it is. It does not say so of a stream that the server has refused, which
// is an error of another type, as net/http has it.
var ErrUnprocessed = errors.New("the request was not processed")

var errUseless = fmt.Errorf("%w: each new connection ended at once", ErrUnprocessed)

// told marks the errors of requests that were not processed.
func told(err error) error {
	if endedUnused(err) {
		return fmt.Errorf("%w: %w", ErrUnprocessed, err)
	}
	return err
}

// endedUnused reports that the connection has ended, or was about to, before the
// server looked at the request.
func endedUnused(err error) bool {
	return err != nil && slices.ContainsFunc(unprocessed(), func(e error) bool { return err == e })
}

// unprocessed are the errors by which net/http says so. It exports none of them, and
// what they say in words may change; so they are provoked once, in memory: by a server
// that goes away before it has looked at a request, by a request after that, and by
// one over a connection that has never carried any.
var unprocessed = sync.OnceValue(func() (all []error) {
	leaving, closed := inMemory(), inMemory()
	if leaving == nil || closed == nil { // HTTP/2 is turned off
		return nil
	}
	_ = closed.Close()
	for _, c := range []*http.ClientConn{leaving, leaving, closed} {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: nowhere, Path: "/"}, Header: http.Header{}}
		if resp, err := c.RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		} else {
			all = append(all, err)
		}
	}
	_ = leaving.Close()
	return all
})

const nowhere = "leaving.invalid:80"

// inMemory is a connection to a server that goes away at the first request.
func inMemory() *http.ClientConn {
	near, far := net.Pipe()
	go leave(far)
	t := new(http.Transport)
	speakOnlyHTTP2(t)
	t.DialContext = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	c, err := t.NewClientConn(context.Background(), "http", nowhere)
	if err != nil {
		_ = near.Close()
		return nil
	}
	return c
}

// leave is the server: it answers the first HEADERS with a GOAWAY that has seen no
// stream (RFC 9113 §6.2, §6.8).
func leave(c net.Conn) {
	const preface, headers = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1
	settings, goAway := []byte{3: 4, 8: 0}, []byte{2: 8, 3: 7, 16: 0}
	defer func() { _ = c.Close() }()
	asked, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, err := io.CopyN(io.Discard, c, int64(len(preface)))
		for head := [9]byte{}; err == nil && head[3] != headers; {
			if _, err = io.ReadFull(c, head[:]); err == nil {
				_, err = io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
			}
		}
		close(asked)
		_, _ = io.Copy(io.Discard, c)
	}()
	_, _ = c.Write(settings)
	<-asked
	_, _ = c.Write(goAway)
	<-ended
}
