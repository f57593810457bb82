package balancer

import (
	"math"
	"math/rand/v2"
)

// warmth is the warm-up of one set: Envoy's slow start,
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start
//
// A host warms from when it came to the balancer, or when its source called it healthy again
// after it was not. A host back from an ejection does not: it has proved itself with a probe.
// Where all hosts are new they are scaled alike, so a set that starts has no favourites.
//
// There is no timer. A drawn host is rejected as often as it lacks weight at that moment,
// compared with the warmest of its set, and another is drawn.
type warmth struct {
	Warmup
	until  int64 // Unix nanoseconds: when the youngest is warm
	oldest int64 // when the oldest came
}

// maxRejections bounds a draw; at the default minimum of 10 % less than one draw in 800 hits it.
const maxRejections = 64

// newWarmth returns nil when nobody of members is warming at now.
func newWarmth(w Warmup, members []*member, now int64) *warmth {
	if w.Duration == 0 || len(members) == 0 {
		return nil
	}
	oldest, youngest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, m := range members {
		joined := m.joined.Load()
		oldest, youngest = min(oldest, joined), max(youngest, joined)
	}
	if until := youngest + int64(w.Duration); now < until && oldest != youngest {
		return &warmth{Warmup: w, until: until, oldest: oldest}
	}
	return nil
}

// over reports whether warm-up makes no difference (any more).
func (w *warmth) over(now int64) bool { return w == nil || now == 0 || now >= w.until }

func (w *warmth) admits(m *member, now int64) bool {
	return w.over(now) || rand.Float64()*w.factor(w.oldest, now) < w.factor(m.joined.Load(), now)
}

// factor is the part of its weight that a host has at now:
//
//	max(minimum, (t/duration)^(1/aggression))
func (w *warmth) factor(joined, now int64) float64 {
	t := float64(now-joined) / float64(w.Duration)
	floor := w.MinimumPercent / 100
	if t >= 1 || t <= 0 {
		return max(floor, min(max(t, 0), 1))
	}
	if w.Aggression != 1 {
		t = math.Pow(t, 1/w.Aggression)
	}
	return max(floor, t)
}
