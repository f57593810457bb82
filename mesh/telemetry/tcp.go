package telemetry

import (
	"cmp"
	"context"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// Opened counts a connection of an Edge of protocol TCP; flags say of one that never
// stood why.
func (e *Edge) Opened(flags Flags) {
	e.tcp(tcpOpened, 1, flags)
	e.live(topology.Passage{Opened: true, Failed: flags != 0})
}

// Closed counts the end of a connection.
func (e *Edge) Closed(flags Flags) {
	e.tcp(tcpClosed, 1, flags)
	e.live(topology.Passage{Closed: true})
}

// Transferred counts what has passed on a connection since the last time: bytes
// sent are those of answers, bytes received those of requests, whoever reports.
// Istio's proxy tells every five seconds and at the end.
func (e *Edge) Transferred(sent, received int64, flags Flags) {
	e.tcp(tcpSent, sent, flags)
	e.tcp(tcpReceived, received, flags)
	e.live(topology.Passage{BytesSent: sent, BytesReceived: received})
}

// live has the topology know, at once: the drain knows requests only.
func (e *Edge) live(p topology.Passage) {
	r := e.t.recorder
	p.At = time.Now().UnixNano()
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.flow == nil {
		e.flow = r.live.Flow(e.key())
	}
	r.live.Pass(e.flow, p)
}

// tcp counts without a detour: it happens seldom.
func (e *Edge) tcp(id metricID, n int64, flags Flags) {
	if p := e.seriesOf(&Result{GRPC: -1, Flags: flags}).points[id]; p != nil {
		e.t.recorder.instruments.counters[id].Add(context.Background(), n, p.add...)
	}
}

// Messages counts those of a gRPC stream that is still open, since the last time.
func (e *Edge) Messages(requests, responses int64) {
	s := e.seriesOf(&Result{GRPC: -1})
	for id, n := range map[metricID]int64{requestMessages: requests, responseMessages: responses} {
		if p := s.points[id]; p != nil && n > 0 {
			e.t.recorder.instruments.counters[id].Add(context.Background(), n, p.add...)
		}
	}
}

// ReportingInterval is how often Transferred is to be called on a connection that
// stands: by the rules, or else every five seconds, as Istio's proxy does.
func (t *Telemetry) ReportingInterval(r Reporter) time.Duration {
	return cmp.Or(t.side(r).interval, 5*time.Second)
}
