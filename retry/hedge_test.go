package retry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func TestAHedgeNeedsADelay(t *testing.T) {
	for _, test := range []struct {
		hedge retry.Hedge
		names string // "": valid
	}{
		{retry.Hedge{}, ""},
		{retry.Hedge{Delay: time.Second}, ""},
		{retry.Hedge{Delay: time.Millisecond, Max: 1}, ""},
		{retry.Hedge{Max: 1}, "delay 0s"},
		{retry.Hedge{Delay: -1, Max: 1}, "delay -1ns"},
		{retry.Hedge{Delay: time.Second, Max: -1}, "maximum -1"},
	} {
		err := test.hedge.Validate()
		if (err == nil) != (test.names == "") || err != nil && !strings.Contains(err.Error(), test.names) {
			t.Errorf("%+v: %v, want %q", test.hedge, err, test.names)
		}
	}
}

func TestOnlyIdempotentReplayableRequestsAreHedged(t *testing.T) {
	h := retry.Hedge{Delay: time.Second, Max: 1}
	for _, test := range []struct {
		hedge retry.Hedge
		try   retry.Try
		want  bool
	}{
		{h, retry.Try{Idempotent: true}, true},
		{h, retry.Try{}, false},
		{h, retry.Try{Idempotent: true, Unreplayable: true}, false},
		{retry.Hedge{}, retry.Try{Idempotent: true}, false},
		{retry.Hedge{Max: 1}, retry.Try{Idempotent: true}, false},
	} {
		if got := test.hedge.May(test.try); got != test.want {
			t.Errorf("%+v, %+v: %v, want %v", test.hedge, test.try, got, test.want)
		}
	}
}

func TestHedgesStartOneDelayApartUntilTheDeadline(t *testing.T) {
	h := retry.Hedge{Delay: 100 * time.Millisecond, Max: 2}
	at := func(ms int) time.Time { return now().Add(time.Duration(ms) * time.Millisecond) }
	for _, test := range []struct {
		started  int
		last     time.Time
		deadline time.Time
		want     time.Time
		ok       bool
	}{
		{0, at(0), time.Time{}, at(100), true},
		{1, at(100), time.Time{}, at(200), true},
		{2, at(200), time.Time{}, time.Time{}, false},
		{0, at(0), at(101), at(100), true},
		{0, at(0), at(100), time.Time{}, false},
	} {
		got, ok := h.Next(test.started, test.last, test.deadline)
		if !got.Equal(test.want) || ok != test.ok {
			t.Errorf("%+v: got %v %v", test, got, ok)
		}
	}
	if _, ok := (retry.Hedge{}).Next(0, at(0), time.Time{}); ok {
		t.Error("the zero hedge starts a try")
	}
}
