package mesh

import (
	"io"
	"net/http"
	"time"
)

// The bounds within which a discarded answer is read to its end, so that its
// connection can be used again; beyond them the connection is closed.
const (
	maxDrain  = 4 << 10 // bytes
	drainTime = time.Second
)

// drain returns what gives up an answer that nobody wants. An answer that is
// known to be long is not worth reading.
func drain(resp *http.Response, held hold) func() {
	return func() {
		defer held.end()
		defer func() { _ = resp.Body.Close() }()
		if resp.ContentLength <= maxDrain {
			timer := time.AfterFunc(drainTime, func() { _ = resp.Body.Close() })
			defer timer.Stop()
			_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		}
	}
}
