package tlsid

import (
	"errors"
	"fmt"
	"time"
)

// CAConfig configures a CA. The zero CAConfig is a CA in memory for the trust
// domain cluster.local.
type CAConfig struct {
	// TrustDomain is whose identities the CA vouches for. Zero: cluster.local,
	// as Istio has it.
	TrustDomain TrustDomain

	// Dir is a directory in which the processes of one machine share the roots
	// and their keys, so that they trust each other. It must be of the user whom
	// they run as, or of root, and nobody else may write to it. It is made if not
	// there. They must agree on the other fields but RootLifetime, or the directory is
	// refused. "": the roots stay in memory, and nobody else knows them.
	Dir string

	// LeafLifetime is how long credentials are valid. They are renewed at about
	// half of it. 0: one hour. At least 100 ms; with a few seconds or less, a
	// process that does not get to run may find its credential expired.
	LeafLifetime time.Duration

	// RootLifetime is how long a root is valid. A new one is made when a fifth of
	// it is left. 0: ten years. At least ten times LeafLifetime and Announce
	// together.
	RootLifetime time.Duration

	// Announce is how long a new root is trusted before it signs, so that every
	// process hears of it first. 0: ten seconds. At least three seconds with a
	// Dir, which is read once a second.
	Announce time.Duration
}

func (c CAConfig) withDefaults() CAConfig {
	if c.TrustDomain.IsZero() {
		c.TrustDomain = TrustDomain{"cluster.local"}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.LeafLifetime, time.Hour}, {&c.RootLifetime, 10 * 365 * 24 * time.Hour}, {&c.Announce, 10 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}

func (c CAConfig) validate() error {
	var faults []error
	if c.LeafLifetime < 100*time.Millisecond {
		faults = append(faults, fmt.Errorf("field LeafLifetime: %s is less than 100ms", c.LeafLifetime))
	}
	if least := c.leastAnnounce(); c.Announce < least {
		faults = append(faults, fmt.Errorf("field Announce: %s is less than %s", c.Announce, least))
	}
	if least := 10 * (c.LeafLifetime + c.Announce); c.RootLifetime < least {
		faults = append(faults, fmt.Errorf("field RootLifetime: %s is less than %s, ten times LeafLifetime and Announce together", c.RootLifetime, least))
	}
	return errors.Join(faults...)
}

// leastAnnounce gives every process that shares a directory the time to read it,
// even if it is late or fails once.
func (c CAConfig) leastAnnounce() time.Duration {
	if c.Dir == "" {
		return 0
	}
	return 3 * dirInterval
}
