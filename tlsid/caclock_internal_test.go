package tlsid

import (
	"testing"
	"time"
)

// A clock that was fast and is set back makes certificates of the future of those
// that it has dated: a bubble's clock cannot be, so the steps are taken by hand.
func TestALeafIsRenewedWhenTheClockIsSetBack(t *testing.T) {
	ca, err := NewCA(CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := ForWorkload(ca.config.TrustDomain, "default", "reviews")
	if err != nil {
		t.Fatal(err)
	}
	var told []Credential
	w := caWatch{ca: ca, id: id, teller: teller{yield: func(c Credential, err error) bool {
		if err != nil {
			t.Error(err)
		}
		told = append(told, c)
		return true
	}}}
	now := wallClock()
	for n, clock := range []time.Time{now, now.Add(24 * time.Hour), now, now.Add(time.Minute)} {
		w.step(clock)
		if c := told[len(told)-1]; len(told) != min(n+1, 3) || c.usable(clock) != nil {
			t.Errorf("at %s: %d were told, the last one is %s: %v", clock, len(told), c, c.usable(clock))
		}
	}
}
