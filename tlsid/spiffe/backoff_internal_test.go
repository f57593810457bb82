package spiffe

import (
	"testing"
	"time"
)

func TestPausesAreBelowACeilingThatDoublesUntilAGoodCredential(t *testing.T) {
	var p pauses
	for range 2 {
		for _, ceiling := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
			if d := p.Next(); d < 0 || d > ceiling*time.Millisecond {
				t.Errorf("a pause of %v, want one of at most %v", d, ceiling*time.Millisecond)
			}
			p.Reset() // what go-spiffe does at each answer, malformed or not
			if p.ceiling != ceiling*time.Millisecond {
				t.Errorf("a ceiling of %v, want %v", p.ceiling, ceiling*time.Millisecond)
			}
		}
		p.restart()
	}
}
