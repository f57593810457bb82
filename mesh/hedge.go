package mesh

import (
	"context"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

// Fork implements engine.Hedger. Each try of a race has a body of its own, so
// that requests whose body can be had only once are not hedged.
func (x *exchange) Fork(ended context.CancelFunc) engine.Fork {
	if upgrades(x.in) {
		return nil
	}
	body, err := x.body.Copy()
	if err != nil {
		return nil
	}
	// A fork may outlive the exchange, if it loses, and the caller's hold on its
	// request; so it shares nothing of either.
	in, to := x.in.WithContext(x.in.Context()), *x.in.URL
	in.URL, in.Header, in.Trailer = &to, x.in.Header.Clone(), x.in.Trailer.Clone()
	return &exchange{
		report: x.report.Fork(), alarms: x.alarms,
		trip: trip{
			t: x.t, in: in, header: x.header.Clone(), host: x.host, path: x.path, ownHeader: true, trailsIll: x.trailsIll,
			body: replay.New(body, nil, x.in.ContentLength, 0), held: hold{race: ended},
		},
	}
}

// Adopt implements engine.Hedger.
func (x *exchange) Adopt(winner engine.Fork) {
	f := winner.(*exchange)
	x.last, x.held, x.resp = f.last, f.held, f.resp
	f.body.Finish()
	if x.next != nil { // of Again: the forks had bodies of their own
		_ = x.next.Close()
		x.next = nil
	}
}

// Abandon implements engine.Fork.
func (x *exchange) Abandon() {
	if x.resp != nil {
		_ = x.resp.Body.Close()
	}
	x.held.end()
	_ = x.body.Close()
}
