package topology

import (
	"math/bits"
	"time"
)

// What is remembered: a second's counts for a minute, and the latencies of ten
// seconds for as long.
const (
	seconds  = 60
	periods  = 6
	perBlock = seconds / periods // seconds in a period
)

// A second is what passed in it.
type second struct {
	at                       int64 // in Unix seconds
	calls, failed            uint32
	bytesSent, bytesReceived uint64
}

// A period is how long calls took that ended in it.
type period struct {
	at    int64 // number of the period since 1970
	calls [buckets]uint32
}

// A window is the last minute of a flow.
type window struct {
	seconds [seconds]second
	periods [periods]period
}

// add looks for the place of a call only if it has not ended in the same second as
// the one before.
func (w *window) add(calls []Call) {
	var s *second
	var p *period
	var last uint64
	for i := range calls {
		c := &calls[i]
		if at := uint64(c.End) / uint64(time.Second); i == 0 || at != last {
			last, s, p = at, w.second(at), w.period(at/perBlock)
		}
		if s == nil {
			continue
		}
		s.calls++
		if c.Failed {
			s.failed++
		}
		s.bytesSent += uint64(c.BytesSent)
		s.bytesReceived += uint64(c.BytesReceived)
		p.calls[bucketOf(c.Duration)]++
	}
}

// second is where what has passed in a Unix second is counted; nil: it is older than
// what is remembered.
func (w *window) second(at uint64) *second {
	s := &w.seconds[at%seconds]
	switch {
	case s.at == int64(at):
	case s.at > int64(at) && !ahead(s.at):
		return nil
	default:
		*s = second{at: int64(at)}
	}
	return s
}

func (w *window) period(at uint64) *period {
	p := &w.periods[at%periods]
	if p.at < int64(at) || p.at > int64(at) && ahead(p.at*perBlock) {
		*p = period{at: int64(at)}
	}
	return p
}

// ahead says that a Unix second has yet to come: the clock was ahead when it was told,
// and has been set back.
func ahead(at int64) bool { return at > time.Now().Unix() }

// A sum is what passed in a span of a window.
type sum struct {
	calls, failed, bytesSent, bytesReceived float64
	latency                                 [buckets]float64
}

// since sums what passed after from and not after to, in Unix seconds, and the
// latencies of all periods that the span touches, to the scale of its calls.
func (w *window) since(from, to int64) (out sum) {
	for i := range w.seconds {
		if s := &w.seconds[i]; s.at > from && s.at <= to {
			out.calls += float64(s.calls)
			out.failed += float64(s.failed)
			out.bytesSent += float64(s.bytesSent)
			out.bytesReceived += float64(s.bytesReceived)
		}
	}
	timed := 0.0
	for i := range w.periods {
		if p := &w.periods[i]; (p.at+1)*perBlock > from+1 && p.at*perBlock <= to {
			for b, n := range p.calls {
				out.latency[b] += float64(n)
				timed += float64(n)
			}
		}
	}
	for b := range out.latency {
		out.latency[b] *= out.calls / max(timed, 1)
	}
	return out
}

// Buckets of latency: four to an octave of microseconds, up to half an hour.
const buckets = 4 * 31

// bucketOf: below 4 µs each microsecond has a bucket; above, the two bits after
// the first choose among the four of the octave.
func bucketOf(d time.Duration) int {
	us := uint64(max(d/time.Microsecond, 0))
	if us < 4 {
		return int(us)
	}
	octave := bits.Len64(us) - 1
	return min(4*(octave-1)+int(us>>(octave-2)&3), buckets-1)
}

// upTo is where a bucket ends.
func upTo(bucket int) time.Duration {
	next := bucket + 1
	if next <= 4 {
		return time.Duration(next) * time.Microsecond
	}
	octave, quarter := next/4+1, uint64(next%4)
	return time.Duration((4+quarter)<<(octave-2)) * time.Microsecond
}
