package mesh

import (
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// connections are the raw ones that stand. While there are any, a timer for each
// direction has them tell what has passed, every five seconds unless a rule says
// otherwise.
type connections struct {
	mesh   *Mesh
	board  *flight.Board[connection]
	rounds [2]round // by telemetry.Reporter
}

// A round is what tells of the connections of one direction, one after the other.
type round struct {
	mu       sync.Mutex
	standing int
	timer    *time.Timer
	over     bool // the mesh is closed
}

func newConnections(m *Mesh) *connections {
	return &connections{mesh: m, board: flight.New[connection]()}
}

func (a *connections) enter(c *connection) {
	a.board.Any().Enter(&c.flight, c)
	r := &a.rounds[c.side]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.standing++; r.standing == 1 {
		a.armLocked(r, c.side)
	}
}

func (a *connections) leave(c *connection) {
	c.flight.Leave()
	r := &a.rounds[c.side]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.standing--; r.standing == 0 && r.timer != nil {
		r.timer.Stop()
	}
}

func (a *connections) armLocked(r *round, side telemetry.Reporter) {
	if r.over || a.mesh.telemetry == nil {
		return
	}
	interval := a.mesh.telemetry.ReportingInterval(side)
	if r.timer == nil {
		r.timer = time.AfterFunc(interval, func() { a.ring(side) })
	} else {
		r.timer.Reset(interval)
	}
}

// ring is the timer's.
func (a *connections) ring(side telemetry.Reporter) {
	a.tell(side)
	r := &a.rounds[side]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.standing > 0 {
		a.armLocked(r, side)
	}
}

// tell has all connections of a direction tell what has passed. They are gathered
// first: telling takes its time, and none could end meanwhile.
func (a *connections) tell(side telemetry.Reporter) {
	var all []*connection
	a.board.Each(func(c *connection) {
		if c.side == side {
			all = append(all, c)
		}
	})
	for _, c := range all {
		c.tell()
	}
}

// close ends the rounds with a last one. The connections live on.
func (a *connections) close() {
	for side := range a.rounds {
		r := &a.rounds[side]
		r.mu.Lock()
		r.over = true
		if r.timer != nil {
			r.timer.Stop()
		}
		r.mu.Unlock()
		a.tell(telemetry.Reporter(side))
	}
}
