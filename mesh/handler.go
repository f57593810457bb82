package mesh

import (
	"net/http"
	"strconv"
	"time"
)

// Handler wraps the handler of a server. In this order, a request
//
//   - is counted, and begins a span, or goes on with its caller's trace (see
//     Config.Telemetry); so do those that are refused;
//   - inherits the deadline that its caller handed on: the request's context ends
//     when the caller will have given up, unless next has begun to answer, for who
//     gives up later hangs up. It can only shorten. What next derives from it before
//     it answers, with a timeout that ends later, goes on as long as the request
//     then: package context leaves such a timeout out. That of an Upgrade or a CONNECT
//     has none;
//   - has its path normalised: policies and next see the same one. What names a
//     path or a host in two ways is refused (400), and an offer to go on in HTTP/2
//     in the clear (Upgrade: h2c) is taken out;
//   - is identified by the certificate that its connection has proven, refused
//     where the port is STRICT and there is none;
//   - passes Config.Access (403), the providers of CUSTOM policies, the
//     RequestAuthentications (401), the AuthorizationPolicies (403) and the rate
//     limits (429).
//
// A connection is closed after an answer when it has lasted for three quarters of
// the time for which its client's certificate was still valid at its beginning, so
// that clients show the new one while the roots of the old one are still there.
//
// Peer tells next who calls; X-Forwarded-Client-Cert, which proxies write, is left as
// the caller has sent it, and proves nothing. Handler goes outermost: what stands before it and
// changes the path, as http.StripPrefix does, or chooses by it, as http.ServeMux
// does, goes by a path that the policies never see.
func (m *Mesh) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := &inbound{start: m.clock.now()}
		ctx, w := in.reported(r.Context(), m, w, r)
		leave := stay
		if in.bears(bearsHop) && !outlives(r) {
			ctx, w, leave = in.inherit(ctx, m, w, r)
		}
		defer leave()
		in.Context = ctx
		refusal := m.receive(in, r)
		if refusal == nil {
			refusal = m.guard.Admit(ctx, &in.visit)
		}
		m.tellAccess(in, refusal)
		if refusal != nil {
			refuse(w, r, refusal)
			in.tell(m, r, refusal, true)
			in.tap(m, r, refusal, true)
			return
		}
		if v := &in.visit; v.Expired || v.Aged && v.Header["Upgrade"] == nil {
			w.Header().Set("Connection", "close") // in HTTP/2: GOAWAY
		}
		in.caller = callerOf(r, &in.visit)
		in.serve(m, next, w, r)
	})
}

// serve calls the handler, and tells how that came out, also if it panics.
func (in *inbound) serve(m *Mesh, next http.Handler, w http.ResponseWriter, r *http.Request) {
	returned := false
	in.lane(m).Enter(&in.flight, in)
	defer func() {
		in.flight.Leave()
		in.tidy(r)
		in.tell(m, r, nil, returned)
		in.tap(m, r, nil, returned)
	}()
	in.given = in.admitted(r)
	next.ServeHTTP(w, in.given)
	returned = true
}

func stay() {}

// handedOn is the time that the caller will wait, where that is heeded.
func (m *Mesh) handedOn(h http.Header) (time.Duration, bool) {
	if m.config.IgnoreInboundDeadline {
		return 0, false
	}
	return handedOn(h)
}

// outlives reports a request whose connection becomes something else, which no time
// for the answer bounds. An offer of HTTP/2 is taken out, so that nothing becomes of it.
func outlives(r *http.Request) bool {
	return r.Method == http.MethodConnect || len(withoutH2C(r.Header)["Upgrade"]) > 0
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
