package engine

import (
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
)

// A Flight is a call's place among those under way. The owner of the Call has one
// and names it there, for a Call may be copied and a Flight may not.
type Flight struct {
	Lane  *flight.Lane[Flight] // nil: any
	entry flight.Entry[Flight]
	call  *Call
	host  atomic.Pointer[Host]
	tries atomic.Int32 // after the first
}

// Lane is for an owner whose Flights follow one another.
func (e *Engine) Lane() *flight.Lane[Flight] { return e.flights.Lane() }

// takeOff makes the call one of those under way: what is looked at, its request,
// its target and its route, is known and does not change any more.
func (c *Call) takeOff() {
	f := c.Flight
	if f == nil {
		return
	}
	if f.Lane == nil {
		f.Lane = c.engine.flights.Any()
	}
	f.call = c
	f.Lane.Enter(&f.entry, f)
}

// land ends that.
func (c *Call) land() {
	if c.Flight != nil {
		c.Flight.entry.Leave()
	}
}

// over a host.
func (f *Flight) at(h *Host) {
	if f != nil {
		f.host.Store(h)
	}
}

func (f *Flight) again() {
	if f != nil {
		f.tries.Add(1)
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
			Service: c.Target.Name, Route: c.Route.Name, Shadow: c.Shadow,
		}
		if h := f.host.Load(); h != nil {
			u.Endpoint, u.Tries = h.State.Address, 1+int(f.tries.Load())
		}
		out = append(out, u)
	})
	return out
}
