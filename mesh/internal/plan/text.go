package plan

import (
	"fmt"
	"strconv"

	"github.com/inmesh-go/inmesh/retry"
)

// Share is the part of the route's requests that the i-th destination gets.
func (r *Route) Share(i int) float64 {
	return float64(r.Destinations[i].Weight) / float64(r.total)
}

// Share is the fraction as a number from 0 to 1.
func (f Fraction) Share() float64 { return float64(f) / float64(Always) }

func (f Fraction) text() string {
	return strconv.FormatFloat(f.Share()*100, 'f', -1, 64) + " %"
}

// TimeoutText is the route's timeout, "" for none.
func (r *Route) TimeoutText() string {
	if r.Timeout == 0 {
		return ""
	}
	return r.Timeout.String()
}

// RetryText says in words what is retried.
func (r *Route) RetryText() string {
	p := &r.Retry
	if p.Attempts <= 0 {
		return "none"
	}
	s := fmt.Sprintf("%d on %s", p.Attempts, p.On)
	if p.On.On&retry.OnStatusCodes != 0 && p.On.Status == (retry.StatusSet{}) {
		s += " (no codes)"
	}
	if p.PerTryTimeout > 0 {
		s += fmt.Sprintf(", %v per try", p.PerTryTimeout)
	}
	return s
}

// Text says in words what is broken on purpose.
func (f Fault) Text() (out []string) {
	if f.DelayFraction > 0 {
		out = append(out, fmt.Sprintf("delay %v for %s", f.Delay, f.DelayFraction.text()))
	}
	switch {
	case f.AbortFraction == 0:
	case f.AbortGRPC >= 0:
		out = append(out, fmt.Sprintf("abort with %s for %s", grpcCodes[f.AbortGRPC], f.AbortFraction.text()))
	default:
		out = append(out, fmt.Sprintf("abort with %d for %s", f.AbortStatus, f.AbortFraction.text()))
	}
	return out
}

// String says what is hashed; "" for nil.
func (k *HashKey) String() string {
	switch {
	case k == nil:
		return ""
	case k.Header != "":
		return "header " + k.Header
	case k.Query != "":
		return "query parameter " + k.Query
	case k.Cookie != nil:
		return "cookie " + k.Cookie.Name
	}
	return "source IP"
}
