package mesh

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// A responseBody tells the exchange when the caller is done with the answer:
// requests in flight are counted, and their deadline holds, until then.
type responseBody struct {
	io.ReadCloser
	x    atomic.Pointer[exchange] // nil once the caller is done
	read atomic.Int64             // bytes; a Close may come while a Read is under way
}

// attach wraps the body of resp, if there is one to wait for. What else the body
// can do is kept: an upgraded connection is written to, and a body that can
// write itself does so.
func (b *responseBody) attach(x *exchange, resp *http.Response) {
	if resp.Body == http.NoBody {
		x.over(nil)
		return
	}
	b.ReadCloser = resp.Body
	b.x.Store(x)
	switch inner := resp.Body.(type) {
	case io.ReadWriteCloser:
		x.upgraded = &upgradedBody{responseBody: b, upgraded: upgraded{Writer: inner}}
		resp.Body = x.upgraded
	case io.WriterTo:
		resp.Body = &writerToBody{b, inner}
	default:
		resp.Body = b
	}
}

// Read passes on; the end of the body, good or bad, is the end of the exchange.
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	switch err {
	case nil:
	case io.EOF:
		b.finish(nil)
	default:
		b.finish(err)
	}
	return n, err
}

// Close passes on. A caller that closes early has lost interest; that says
// nothing of the upstream.
func (b *responseBody) Close() error {
	x := b.x.Swap(nil) // before a Read on another goroutine hears of it, and takes it for a failure
	err := b.ReadCloser.Close()
	if x != nil {
		x.closed = true
		x.over(nil)
	}
	return err
}

// finish ends the exchange, once; err is how the answer broke off.
func (b *responseBody) finish(err error) {
	if x := b.x.Swap(nil); x != nil {
		x.over(err)
	}
}

type upgradedBody struct {
	*responseBody
	upgraded
}

// An upgraded connection is written to after its request: that is the request's.
type upgraded struct {
	io.Writer
	written atomic.Int64 // bytes; a Write may be under way when the answer ends
}

// Write passes on.
func (u *upgraded) Write(p []byte) (int, error) {
	n, err := u.Writer.Write(p)
	u.written.Add(int64(n))
	return n, err
}

// CloseWrite closes the connection one way, as far as it can be.
func (u *upgraded) CloseWrite() error { return closeWrite(u.Writer) }

func closeWrite(w io.Writer) error {
	if c, ok := w.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return fmt.Errorf("CloseWrite: %w", http.ErrNotSupported)
}

type writerToBody struct {
	*responseBody
	inner io.WriterTo
}

// WriteTo implements io.WriterTo. An error may be w's: it says nothing of the
// upstream.
func (b *writerToBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.inner.WriteTo(w)
	b.read.Add(n)
	b.finish(nil)
	return n, err
}
