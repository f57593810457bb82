package topology

import "time"

// A Passage is what has become of a raw connection since the last time.
type Passage struct {
	At             int64 // in Unix nanoseconds
	Opened, Closed bool
	Failed         bool  // it never stood
	BytesSent      int64 // of answers
	BytesReceived  int64
}

// Pass adds a Passage. A connection counts as a call when it is opened, without a
// latency; its bytes count when they pass. A flow of which one stands is not
// forgotten.
func (l *Live) Pass(f *Flow, p Passage) {
	if f != nil && f.live == nil {
		f = l.readmit(f)
	}
	if f == nil {
		if p.Opened {
			l.dropped++
		}
		return
	}
	f.last = max(f.last, p.At)
	if p.Opened {
		f.open++
	}
	if p.Closed && f.open > 0 { // else there was no room for it when it was opened
		f.open--
	}
	f.pass(&p)
}

func (w *window) pass(p *Passage) {
	s := w.second(uint64(p.At) / uint64(time.Second))
	if s == nil {
		return
	}
	if p.Opened {
		s.calls++
	}
	if p.Failed {
		s.failed++
	}
	s.bytesSent += uint64(p.BytesSent)
	s.bytesReceived += uint64(p.BytesReceived)
}
