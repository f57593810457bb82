package engine

import (
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
)

// A Flight is a call's place among those under way. The owner of the Call has one
// and names it there, for a Call may be copied and a Flight may not.
type Flight struct {
	Once  bool                 // it is for one call alone
	seat  *flight.Seat[Flight] // nil: none yet, or the call has a lane
	lane  flight.Entry[Flight] // of one that flies once
	call  *Call
	host  *Host // that it was last sent to; nil: none yet
	tries int
	dice  dice
}

// fly makes the call one of those under way, or says where it has got to. It is
// called before whatever takes time. What is looked at besides, the call's request,
// its target and its route, does not change any more.
func (c *Call) fly() {
	f := c.Flight
	switch {
	case f == nil:
	case f.Once:
		c.flyOnce()
	case f.seat == nil:
		f.seat = c.engine.flights.Seat(f)
		f.begin(c)
		f.seat.Enter(f)
	case f.seat.Flies():
		f.seat.Change(func(f *Flight) { f.host, f.tries = c.Host, c.Tries })
	default:
		f.begin(c)
		f.seat.Enter(f)
	}
}

// flyOnce takes a lane: a seat is for those who come back to it.
func (c *Call) flyOnce() {
	f := c.Flight
	if f.lane.Flies() {
		f.lane.Change(func(f *Flight) { f.host, f.tries = c.Host, c.Tries })
		return
	}
	f.begin(c)
	c.engine.flights.Any().Enter(&f.lane, f)
}

func (f *Flight) begin(c *Call) { f.call, f.host, f.tries = c, c.Host, c.Tries }

// land ends that.
func (c *Call) land() {
	switch f := c.Flight; {
	case f == nil:
	case f.seat != nil:
		f.seat.Leave()
	default:
		f.lane.Leave()
	}
}

// Underway is a call that is under way.
type Underway struct {
	Start                   time.Time
	Method, Authority, Path string
	Service, Route          string
	Endpoint                string // that it was last sent to; "": none yet
	Tries                   int
	Shadow                  bool
}

// Underway are all calls under way.
func (e *Engine) Underway() (out []Underway) {
	e.flights.Each(func(f *Flight) {
		c := f.call
		u := Underway{
			Start: c.Start, Method: c.Request.Method, Authority: c.Request.Authority, Path: c.Request.Path,
			Service: c.Target.Name, Route: c.RouteName(), Shadow: c.Shadow,
		}
		if f.host != nil {
			u.Endpoint, u.Tries = f.host.State.Address, f.tries
		}
		out = append(out, u)
	})
	return out
}
