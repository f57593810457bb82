package telemetry

import (
	"cmp"
	"context"
	"time"
)

// Opened counts a connection of an Edge of protocol TCP.
func (e *Edge) Opened(flags Flags) { e.tcp(tcpOpened, 1, flags) }

// Closed counts the end of a connection.
func (e *Edge) Closed(flags Flags) { e.tcp(tcpClosed, 1, flags) }

// Transferred counts what has passed on a connection since the last time: bytes
// sent are those of answers, bytes received those of requests, whoever reports.
// Istio's proxy tells every five seconds and at the end.
func (e *Edge) Transferred(sent, received int64, flags Flags) {
	e.tcp(tcpSent, sent, flags)
	e.tcp(tcpReceived, received, flags)
}

// tcp counts without a detour: it happens seldom.
func (e *Edge) tcp(id metricID, n int64, flags Flags) {
	if p := e.seriesOf(&Result{GRPC: -1, Flags: flags}).points[id]; p != nil {
		e.t.recorder.instruments.counters[id].Add(context.Background(), n, p.add...)
	}
}

// Messages counts those of a gRPC stream that is still open, since the last time.
// Istio's proxy tells every five seconds.
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
