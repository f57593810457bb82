package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func TestCeilingsDoubleUpToTheMaximum(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		backoff retry.Backoff
		want    []time.Duration
	}{
		{retry.Backoff{}, []time.Duration{25 * ms, 50 * ms, 100 * ms, 200 * ms, 250 * ms, 250 * ms}},
		{retry.Backoff{Base: 3 * ms}, []time.Duration{3 * ms, 6 * ms, 12 * ms, 24 * ms, 30 * ms, 30 * ms}},
		{retry.Backoff{Base: 10 * ms, Max: 40 * ms}, []time.Duration{10 * ms, 20 * ms, 40 * ms, 40 * ms}},
		{retry.Backoff{Base: 10 * ms, Max: 5 * ms}, []time.Duration{5 * ms, 5 * ms}},
		{retry.Backoff{Base: math.MaxInt64 / 2}, []time.Duration{math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64}},
		{retry.Backoff{Base: -1, Max: -1}, []time.Duration{25 * ms}},
	} {
		for i, want := range test.want {
			if got := test.backoff.Ceiling(i + 1); got != want {
				t.Errorf("%+v: ceiling %d is %v, want %v", test.backoff, i+1, got, want)
			}
		}
	}
	for _, n := range []int{-1, 0, 1} {
		if got := (retry.Backoff{}).Ceiling(n); got != 25*ms {
			t.Errorf("ceiling %d is %v, want 25ms", n, got)
		}
	}
	if got := (retry.Backoff{}).Ceiling(math.MaxInt); got != 250*ms {
		t.Errorf("the last ceiling is %v, want 250ms", got)
	}
}

// A chi-square test with 19 degrees of freedom: above 60 once in a million runs.
func TestDelaysAreUniformBelowTheCeiling(t *testing.T) {
	const draws, bins = 20_000, 20
	var b retry.Backoff
	var hits [bins]int
	for range draws {
		d := b.Delay(3)
		if d < 0 || d >= b.Ceiling(3) {
			t.Fatalf("delay %v, want less than %v", d, b.Ceiling(3))
		}
		hits[int(d)*bins/int(b.Ceiling(3))]++
	}
	var chi float64
	for _, n := range hits {
		chi += math.Pow(float64(n)-draws/bins, 2) / (draws / bins)
	}
	if chi > 60 {
		t.Errorf("chi-square %.1f, want below 60: %v", chi, hits)
	}
}

func TestJitterCanBeTurnedOff(t *testing.T) {
	b := retry.Backoff{NoJitter: true}
	for n := 1; n < 9; n++ {
		if got := b.Delay(n); got != b.Ceiling(n) {
			t.Errorf("delay %d is %v, want %v", n, got, b.Ceiling(n))
		}
	}
}
