package mesh

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// An answer is a handler's ResponseWriter that sees what is written. What the
// server's own can do besides, it can do too, by one of the types below.
type answer struct {
	http.ResponseWriter
	status   int    // 0: none yet
	begins   func() // is told when there is one; nil: nobody is
	begun    int64  // when there was one, in Unix nanoseconds, if timed
	written  int64
	hijacked bool
	timed    bool
}

// watch begins to look at w, and returns what to use in its place.
func (a *answer) watch(w http.ResponseWriter) http.ResponseWriter {
	a.ResponseWriter = w
	_, flushes := w.(http.Flusher)
	_, hijacks := w.(http.Hijacker)
	_, pushes := w.(http.Pusher)
	switch {
	case flushes && hijacks:
		return hijackableAnswer{flushableAnswer{a}}
	case flushes && pushes:
		return pushableAnswer{flushableAnswer{a}}
	case flushes:
		return flushableAnswer{a}
	}
	return a
}

// Unwrap is what http.ResponseController asks for.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter. Informational answers come before
// the one that counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) begin(status int) {
	a.status = status
	if a.timed {
		a.begun = time.Now().UnixNano()
	}
	if a.begins != nil {
		a.begins()
	}
}

func (a *answer) wrote(n int64) {
	if a.status == 0 {
		a.begin(http.StatusOK)
	}
	a.written += n
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.wrote(int64(n))
	return n, err
}

// WriteString implements io.StringWriter.
func (a *answer) WriteString(s string) (int, error) {
	n, err := io.WriteString(a.ResponseWriter, s)
	a.wrote(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom: net/http's own lets the kernel copy files. Where
// there was nothing to copy it has answered nothing yet.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	to, ok := a.ResponseWriter.(io.ReaderFrom)
	switch {
	case !ok:
		return io.Copy(struct{ io.Writer }{a}, r)
	case a.begins != nil && a.status == 0: // it is to be told when the answer begins, not when it is over
		r = firstRead{r, a}
	}
	n, err := to.ReadFrom(r)
	if n > 0 {
		a.wrote(n)
	}
	return n, err
}

type flushableAnswer struct{ *answer }

// Flush implements http.Flusher.
func (a flushableAnswer) Flush() {
	a.wrote(0)
	a.ResponseWriter.(http.Flusher).Flush()
}

// FlushError is what http.ResponseController prefers: it says that the caller has
// gone.
func (a flushableAnswer) FlushError() error {
	a.wrote(0)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// CloseNotify implements http.CloseNotifier, which some frameworks still insist on.
func (a flushableAnswer) CloseNotify() <-chan bool {
	if n, ok := a.ResponseWriter.(http.CloseNotifier); ok { //nolint:staticcheck // deprecated, still asked for
		return n.CloseNotify()
	}
	return make(chan bool)
}

type hijackableAnswer struct{ flushableAnswer }

// Hijack implements http.Hijacker.
func (a hijackableAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := a.ResponseWriter.(http.Hijacker).Hijack()
	a.hijacked = err == nil
	if a.hijacked && a.begins != nil {
		a.begins()
	}
	return conn, rw, err
}

type pushableAnswer struct{ flushableAnswer }

// Push implements http.Pusher.
func (a pushableAnswer) Push(target string, o *http.PushOptions) error {
	return a.ResponseWriter.(http.Pusher).Push(target, o)
}
