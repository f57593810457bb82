package mesh

import (
	"context"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

// Fork implements engine.Hedger. Each try of a race has a body of its own, so
// that requests whose body can be had only once are not hedged.
func (x *exchange) Fork(ended context.CancelFunc) engine.Wire {
	body, err := x.body.Copy()
	if err != nil {
		return nil
	}
	return &exchange{
		t: x.t, in: x.in, header: x.header, host: x.host, path: x.path, ownHeader: x.ownHeader,
		body: replay.New(body, nil, x.in.ContentLength, 0), race: ended,
	}
}

// Adopt implements engine.Hedger.
func (x *exchange) Adopt(winner engine.Wire) {
	f := winner.(*exchange)
	x.last, x.resp = f.last, f.resp
	f.body.Finish()
}

// Abandon implements engine.Hedger.
func (x *exchange) Abandon(loser engine.Wire) {
	f := loser.(*exchange)
	if f.resp != nil {
		_ = f.resp.Body.Close()
	}
	f.abandon()
}
