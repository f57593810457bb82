package mesh

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

// Handler wraps the handler of a server. In this order, a request
//
//   - has its path normalised: policies and next see the same one;
//   - is identified by the certificate that its connection has proven, refused
//     where the port is STRICT and there is none;
//   - passes the providers of CUSTOM policies, the RequestAuthentications (401),
//     the AuthorizationPolicies (403) and the rate limits (429);
//   - inherits the deadline that its caller handed on: the request's context ends
//     when the caller will have given up. It can only shorten.
//
// Peer tells next who calls.
func (m *Mesh) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, refusal := m.visit(r)
		if refusal == nil {
			refusal = m.guard.Admit(r.Context(), v)
		}
		m.tellAccess(v, refusal)
		if refusal != nil {
			refuse(w, r, refusal)
			return
		}
		ctx, cancel := m.inherit(context.WithValue(r.Context(), inboundKey{}, inboundOf(r, v)), r.Header)
		defer cancel()
		next.ServeHTTP(w, admitted(r.WithContext(ctx), v))
	})
}

// visit is what the guard sees of a request.
func (m *Mesh) visit(r *http.Request) (*guard.Visit, *guard.Refusal) {
	v := &guard.Visit{TLS: r.TLS, Scheme: "http", RawQuery: r.URL.RawQuery}
	v.Method, v.Host, v.Header = r.Method, r.Host, r.Header
	if r.TLS != nil {
		v.Scheme = "https"
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		to := addrPort(local.String())
		v.Destination, v.Port = to.Addr(), to.Port()
	}
	v.Source = addrPort(r.RemoteAddr).Addr()
	path, err := m.config.PathNormalization.Path(r.URL.EscapedPath())
	if err != nil {
		return v, &guard.Refusal{Status: http.StatusBadRequest, Message: "Bad Request", Details: err.Error()}
	}
	v.Path = path
	return v, nil
}

// addrPort is the zero AddrPort for what is none, such as a unix socket.
func addrPort(s string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// admitted is the request as the handler gets it: with the path that policies have
// seen, and with what its token changes.
func admitted(r *http.Request, v *guard.Visit) *http.Request {
	query := v.Token.Query(r.URL.RawQuery)
	if path := v.Path.Decoded(); path != r.URL.Path || query != r.URL.RawQuery {
		to := *r.URL
		to.Path, to.RawPath, to.RawQuery = path, v.Path.Escaped(), query
		r.URL, r.RequestURI = &to, to.RequestURI()
	}
	if len(v.Token.Remove) == 0 && len(v.Token.Add) == 0 {
		return r
	}
	r.Header = r.Header.Clone()
	for _, name := range v.Token.Remove {
		r.Header.Del(name)
	}
	for _, f := range v.Token.Add {
		r.Header.Add(f.Name, f.Value)
	}
	return r
}

// inherit takes over the deadline that the caller handed on.
func (m *Mesh) inherit(ctx context.Context, h http.Header) (context.Context, context.CancelFunc) {
	if d, ok := handedOn(h); ok && !m.config.IgnoreInboundDeadline {
		return context.WithTimeout(ctx, d)
	}
	return ctx, func() {}
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
