package topology_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A clock that was ahead, and was set right, takes nothing of what passes from then on.
func TestAClockMayBeSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{Forget: time.Minute})
		time.Sleep(time.Minute)
		f := l.Flow(toReviews)
		for i := range 60 {
			ahead := time.Now().Add(time.Hour + time.Duration(i)*time.Second).UnixNano()
			l.Add(f, topology.Call{End: ahead, Duration: time.Second})
			l.Pass(f, topology.Passage{At: ahead, Opened: true, BytesSent: 1000})
		}
		for range 20 {
			l.Add(f, topology.Call{End: time.Now().UnixNano(), Duration: time.Millisecond})
			l.Pass(f, topology.Passage{At: time.Now().UnixNano(), BytesReceived: 100, Closed: true})
			time.Sleep(time.Second)
		}
		e := l.Graph(time.Now().Add(-time.Nanosecond), 10*time.Second).Edges[0]
		near(t, "requests", e.Requests, 1)
		near(t, "bytes sent", e.BytesSent, 0)
		near(t, "bytes received", e.BytesReceived, 100)
		near(t, "p99", e.P99, 1.024)
		for range 40 {
			l.Pass(f, topology.Passage{At: time.Now().UnixNano(), Closed: true})
		}
		l.Graph(time.Now(), time.Minute)
		time.Sleep(time.Minute + time.Second)
		if g := l.Graph(time.Now(), time.Minute); len(g.Edges) > 0 {
			t.Errorf("it is not forgotten: %+v", g.Edges)
		}
	})
}

// A connection for which there was no room when it was opened does not stand, and
// takes none of those that do away.
func TestNoConnectionStandsThatHadNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{Edges: 1, Forget: time.Minute})
		other := toReviews
		other.Protocol = "tcp"
		l.Flow(toReviews)
		l.Pass(l.Flow(other), topology.Passage{At: time.Now().UnixNano(), Opened: true})
		time.Sleep(2 * time.Minute)
		l.Graph(time.Now(), time.Minute) // forgets who has the room
		l.Pass(l.Flow(other), topology.Passage{At: time.Now().UnixNano(), Closed: true})
		if e := l.Graph(time.Now(), time.Minute).Edges; len(e) != 1 || e[0].Connections != 0 {
			t.Errorf("%+v", e)
		}
		l.Pass(l.Flow(other), topology.Passage{At: time.Now().UnixNano(), Opened: true})
		near(t, "standing", l.Graph(time.Now(), time.Minute).Edges[0].Connections, 1)
	})
}
