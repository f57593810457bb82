package retry

import (
	"net/http"
	"strings"
	"time"
)

// ParseRetryAfter reads a Retry-After header: how long to wait from now on.
// RFC 9110 §10.2.3: "Retry-After = HTTP-date / delay-seconds", where
// delay-seconds are digits only. A date in the past gives 0 and true; seconds
// beyond what a Duration holds give the longest Duration. Anything else,
// signs and fractions included, gives false.
func ParseRetryAfter(header string, now time.Time) (time.Duration, bool) {
	if header == "" {
		return 0, false
	}
	if strings.Trim(header, "0123456789") == "" {
		return seconds(header), true
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}

func seconds(digits string) time.Duration {
	const most = int64(NoDeadline / time.Second)
	var n int64
	for _, digit := range digits {
		n = n*10 + int64(digit-'0')
		if n > most {
			return NoDeadline
		}
	}
	return time.Duration(n) * time.Second
}
