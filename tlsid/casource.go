package tlsid

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// idleInterval bounds how long a watch of a CA in memory waits, for the clock
// that timers run by may have stood still.
const idleInterval = time.Minute

// retryInterval is how soon a credential that could not be made is tried again.
const retryInterval = time.Second

// A caSource yields the credentials of one identity. Each Watch has keys of its
// own.
type caSource struct {
	ca  *CA
	id  ID
	err error // what is wrong with the identity
}

// Watch implements Source.
func (s caSource) Watch(ctx context.Context) iter.Seq2[Credential, error] {
	return func(yield func(Credential, error) bool) {
		if s.err != nil {
			if yield(Credential{}, s.err) {
				<-ctx.Done()
			}
			return
		}
		w := caWatch{teller: teller{yield: yield}, ca: s.ca, id: s.id}
		for ctx.Err() == nil && w.step(wallClock()) {
			w.wait(ctx, wallClock())
		}
	}
}

// caWatch is what one Watch knows.
type caWatch struct {
	teller
	ca     *CA
	id     ID
	view   view
	issuer *root     // of the credential that stands
	renew  time.Time // when it is due to be renewed, or that is due to be tried again
}

// step does what is due and reports whether to go on.
func (w *caWatch) step(now time.Time) bool {
	err := w.ca.refresh(now)
	w.view = w.ca.view(now)
	next, issueErr := w.next(now)
	err = errors.Join(err, issueErr)
	return w.say(next, trouble{failing: err != nil, age: ageOf(err)}, err, now)
}

// next is the credential that is to stand from now on, whatever the error.
func (w *caWatch) next(now time.Time) (Credential, error) {
	if !w.due(now) {
		if w.standing.Bundles().Equal(w.view.bundles) {
			return w.standing, nil
		}
		return w.standing.With(w.view.bundles), nil
	}
	lifetime := w.ca.config.LeafLifetime
	credential, err := w.view.signer.issue(w.id, now.Add(lifetime), now)
	if err != nil {
		w.renew = now.Add(retryInterval)
		return w.standing, w.lament(now, err)
	}
	w.issuer, w.renew = w.view.signer, now.Add(jittered(lifetime/2))
	return credential.With(w.view.bundles), nil
}

// due reports whether the credential is old, of the future, for the clock has been
// set back, or its issuer gone from the roots. A source that has not yielded one yet
// is always due.
func (w *caWatch) due(now time.Time) bool {
	return w.issuer == nil || !now.Before(w.renew) || now.Before(w.standing.NotBefore()) || !w.view.trusts(w.issuer)
}

// lament says what it means that a credential could not be made.
func (w *caWatch) lament(now time.Time, err error) error {
	if w.standing.IsZero() {
		return fmt.Errorf("credential of %s: %w", w.id, err)
	}
	err = fmt.Errorf("credential of %s, which expires at %s, cannot be renewed: %w", w.id, w.standing.NotAfter().Format(time.RFC3339), err)
	if age := w.age(now); age != nil {
		return fmt.Errorf("%w: %w", age, err)
	}
	return err
}

// age is what Check would say of the credential that stands, but by the lifetime
// of leaves: NotBefore is dated back.
func (w *caWatch) age(now time.Time) error {
	switch left := w.standing.NotAfter().Sub(now); {
	case w.standing.IsZero() || left >= w.ca.config.LeafLifetime/5:
		return nil
	case left < 0:
		return ErrOutOfTime
	default:
		return ErrExpiring
	}
}

// wait returns when something may be due.
func (w *caWatch) wait(ctx context.Context, now time.Time) {
	timer := time.NewTimer(w.pause(now))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.view.over:
	case <-ctx.Done():
	}
}

func (w *caWatch) pause(now time.Time) time.Duration {
	pause := min(w.renew.Sub(now), idleInterval)
	if w.ca.config.Dir != "" {
		pause = min(pause, dirInterval)
	}
	if changes := w.view.changes; !changes.IsZero() {
		pause = min(pause, changes.Sub(now))
	}
	return pause
}

// jittered is d, a fifth more or less, so that not all renew at the same time.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
