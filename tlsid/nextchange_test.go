package tlsid_test

import (
	"errors"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

// age is which of the sentinels Check finds.
func age(c tlsid.Credential, now time.Time) error {
	for _, a := range []error{tlsid.ErrOutOfTime, tlsid.ErrExpiring} {
		if errors.Is(c.Check(now), a) {
			return a
		}
	}
	return nil
}

func TestNextChangeIsWhenCheckSaysAnotherThing(t *testing.T) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	domain, err := tlsid.ParseTrustDomain("cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	id, err := tlsid.ForWorkload(domain, "default", "reviews")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	now := c.NotBefore().Add(-time.Minute)
	for _, want := range []error{nil, tlsid.ErrExpiring, tlsid.ErrOutOfTime} {
		before := age(c, now)
		at, ok := c.NextChange(now)
		if !ok || !at.After(now) {
			t.Fatalf("at %v: %v, %v", now, at, ok)
		}
		if got := age(c, at); got != want {
			t.Errorf("at %v Check says %v, want %v", at, got, want)
		}
		if got := age(c, at.Add(-2)); got != before {
			t.Errorf("just before %v Check says %v already, want %v", at, got, before)
		}
		now = at
	}
	if at, ok := c.NextChange(now); ok {
		t.Errorf("after the end there is another change, at %v", at)
	}
}
