package engine

import (
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
)

// A Flight is a call's place among those under way. The owner of the Call has one
// and names it there, for a Call may be copied and a Flight may not.
type Flight struct {
	Lane  *flight.Lane[Flight] // nil: any
	entry flight.Entry[Flight]
	call  *Call
	host  *Host // that it was last sent to; nil: none yet
	tries int
	dice  dice
}

// Lane is for an owner whose Flights follow one another.
func (e *Engine) Lane() *flight.Lane[Flight] { return e.flights.Lane() }

// fly makes the call one of those under way, or says where it has got to. It is
// called before whatever takes time. What is looked at besides, the call's request,
// its target and its route, does not change any more.
func (c *Call) fly() {
	f := c.Flight
	switch {
	case f == nil:
	case f.entry.Flies():
		f.entry.Change(func(f *Flight) { f.host, f.tries = c.Host, c.Tries })
	default:
		if f.Lane == nil {
			f.Lane = c.engine.flights.Any()
		}
		f.call, f.host, f.tries = c, c.Host, c.Tries
		f.Lane.Enter(&f.entry, f)
	}
}

// land ends that.
func (c *Call) land() {
	if c.Flight != nil {
		c.Flight.entry.Leave()
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
