package ratelimit_test

import (
	"strconv"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
)

// most is how many callers a policy tells apart.
const most = 10_000

// crowded are limits of which most callers have taken a token at a time each.
func crowded(t *testing.T, times func(i int) int) *ratelimit.Limits {
	t.Helper()
	l := compile(policy("p", identity(1)))
	for i := range most {
		play(t, l, []request{{ms: times(i), caller: strconv.Itoa(i)}})
	}
	return l
}

func TestCallersWhoAreTooManyShareOneBound(t *testing.T) {
	l := crowded(t, func(int) int { return 0 })
	play(t, l, []request{
		{caller: "new"}, {caller: "newer", want: ratelimit.Crowd}, {caller: "newest", want: ratelimit.Crowd},
		{caller: "", want: ratelimit.Crowd},
		{caller: "7", want: ratelimit.Identity},
		{ms: 999, caller: "newer", want: ratelimit.Crowd},
	})
}

func TestIdleCallersMakeRoom(t *testing.T) {
	l := crowded(t, func(int) int { return 0 })
	play(t, l, []request{{ms: 1000, caller: "new"}, {ms: 1000, caller: "new", want: ratelimit.Identity}, {ms: 1000, caller: "newer"}})
}

// To forget a bucket is to fill it.
func TestNoCallerIsForgottenBeforeItsBucketIsFull(t *testing.T) {
	l := crowded(t, func(i int) int { return i % 2 * 500 }) // half of them at 0, half at 500 ms
	play(t, l, []request{{ms: 1000, caller: "new"}})        // sweeps the first half
	for i := 1; i < most; i += 2 {
		play(t, l, []request{{ms: 1001, caller: strconv.Itoa(i), want: ratelimit.Identity}})
	}
}

func TestRoomIsLookedForOnceASecond(t *testing.T) {
	l := crowded(t, func(i int) int { return 500 })
	play(t, l, []request{
		{ms: 1000, caller: "new"},                              // finds no room
		{ms: 1500, caller: "newer", want: ratelimit.Crowd},     // does not look, though there would be
		{ms: 2000, caller: "newest"},                           // does
		{ms: 2000, caller: "newest", want: ratelimit.Identity}, //
	})
}
