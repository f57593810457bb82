package mesh

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Handler wraps the handler of a server. It honours the deadline that the caller
// handed on: the request's context ends when the caller will have given up, so
// that nobody works for an answer that nobody waits for. It can only shorten.
func (m *Mesh) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), remoteKey{}, r.RemoteAddr)
		if d, ok := handedOn(r.Header); ok && !m.config.IgnoreInboundDeadline {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// handedOn reads the time that the caller will wait. What is no positive number
// of milliseconds is no deadline.
func handedOn(h http.Header) (time.Duration, bool) {
	values := h[headerExpectedTimeout]
	if len(values) == 0 {
		return 0, false
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	const most = int64(1<<63-1) / int64(time.Millisecond)
	if err != nil || ms <= 0 || ms > most {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// remoteKey is the context key of the address that an inbound request came from;
// requests made on its behalf are hashed by it.
type remoteKey struct{}

func remoteOf(ctx context.Context) string {
	remote, _ := ctx.Value(remoteKey{}).(string)
	return remote
}
