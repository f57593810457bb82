package tlsid

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrOutOfTime: the credential has expired, or is not valid yet.
	ErrOutOfTime = errors.New("out of time")
	// ErrExpiring: less than a fifth of the credential's lifetime is left, so
	// whoever should have renewed it has not.
	ErrExpiring = errors.New("about to expire")
)

// Check reports what is wrong with the time of a credential: ErrOutOfTime or
// ErrExpiring, by errors.Is, nil if nothing is. Sources tell both as news.
func (c Credential) Check(now time.Time) error {
	from, to := c.NotBefore(), c.NotAfter()
	switch left := to.Sub(now); {
	case now.Before(from):
		return fmt.Errorf("credential of %s: %w: not valid before %s", c.ID(), ErrOutOfTime, from.Format(time.RFC3339))
	case left < 0:
		return fmt.Errorf("credential of %s: %w: expired at %s", c.ID(), ErrOutOfTime, to.Format(time.RFC3339))
	case left < to.Sub(from)/5:
		return fmt.Errorf("credential of %s: %w: not renewed, expires at %s", c.ID(), ErrExpiring, to.Format(time.RFC3339))
	}
	return nil
}

// NextChange returns when what Check says changes next; ok is false if it will
// not. Who waits for that tells ErrExpiring and ErrOutOfTime when they begin.
func (c Credential) NextChange(now time.Time) (at time.Time, ok bool) {
	from, to := c.NotBefore(), c.NotAfter()
	for _, change := range []time.Time{from, to.Add(-to.Sub(from) / 5), to} {
		if !now.After(change) {
			return change.Add(1), true // the bounds belong to what they end
		}
	}
	return time.Time{}, false
}

// usable asks for the time first: what is wrong with it is said more clearly.
func (c Credential) usable(now time.Time) error {
	if err := c.Check(now); errors.Is(err, ErrOutOfTime) {
		return err
	}
	return c.trusted(now)
}

// trusted reports whether the credential's own bundles vouch for it.
func (c Credential) trusted(now time.Time) error {
	roots, ok := c.Bundles().lookup(c.ID().domain)
	if !ok {
		return fmt.Errorf("credential of %s: there are no roots of its trust domain", c.ID())
	}
	if err := roots.vouch(c.held.chain, x509.ExtKeyUsageAny, now); err != nil {
		return fmt.Errorf("credential of %s: its own roots do not vouch for it: %w", c.ID(), err)
	}
	return nil
}
