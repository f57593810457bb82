package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestParseRetryAfter(t *testing.T) {
	for _, test := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"0", 0, true},
		{"120", 2 * time.Minute, true},
		{"007", 7 * time.Second, true},
		{"9223372036", 9223372036 * time.Second, true},
		{"9223372037", math.MaxInt64, true},
		{"99999999999999999999999999", math.MaxInt64, true},
		{"Sun, 01 Mar 2026 12:01:30 GMT", 90 * time.Second, true},
		{"Sun, 01 Mar 2026 11:00:00 GMT", 0, true},
		{"Sunday, 01-Mar-26 12:00:10 GMT", 10 * time.Second, true},
		{"Sun Mar  1 12:00:10 2026", 10 * time.Second, true},
		{"", 0, false}, {" ", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1.5", 0, false}, {"1s", 0, false},
		{"1e3", 0, false}, {"١", 0, false}, {"soon", 0, false}, {"2026-03-01T12:00:10Z", 0, false},
	} {
		got, ok := retry.ParseRetryAfter(test.header, now())
		if got != test.want || ok != test.ok {
			t.Errorf("%q: got %v %v, want %v %v", test.header, got, ok, test.want, test.ok)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "120", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:01:30 GMT", "soon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		d, ok := retry.ParseRetryAfter(header, now())
		if d < 0 || !ok && d != 0 {
			t.Errorf("%q: %v %v", header, d, ok)
		}
	})
}
