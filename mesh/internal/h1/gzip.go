package h1

import (
	"compress/gzip"
	"net/http"
	"strings"
)

// unpacks reports whether the Pool asks for gzip on its own account: where
// net/http does. The answer to a HEAD, or a part of one, cannot be unpacked.
func (p *Pool) unpacks(r *http.Request) bool {
	return !p.config.DisableCompression && r.Method != http.MethodHead &&
		r.Header.Get("Accept-Encoding") == "" && r.Header.Get("Range") == ""
}

// unpack makes a packed answer plain.
func unpack(resp *http.Response, b *body) {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	resp.Uncompressed = true
	resp.Body = &unpacked{body: b}
}

// An unpacked body reads the packed one from the first Read on, which may wait.
type unpacked struct {
	*body
	from *gzip.Reader // nil: before the first Read, and after the end
	err  error        // how it ended
}

// Read implements io.Reader.
func (u *unpacked) Read(p []byte) (n int, err error) {
	if u.isClosed() {
		return 0, errClosed
	}
	if u.from == nil && u.err == nil {
		u.err = u.open()
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err = u.from.Read(p)
	if err != nil {
		u.leave(err)
	}
	return n, err
}

func (u *unpacked) open() error {
	from := u.conn.pool.inflated.Get().(*gzip.Reader)
	if err := from.Reset(u.body); err != nil {
		u.conn.pool.inflated.Put(from)
		return err
	}
	u.from = from
	return nil
}

// leave gives the reader back, which only the goroutine that reads may do.
func (u *unpacked) leave(err error) {
	u.err = err
	u.conn.pool.inflated.Put(u.from)
	u.from = nil
}
