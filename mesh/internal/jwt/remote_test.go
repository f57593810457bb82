package jwt_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// TestKeysAreFetchedBeforeTheFirstRequest and refreshed every five minutes.
func TestKeysAreFetchedBeforeTheFirstRequest(t *testing.T) {
	i := newIssuer(t, "i", "1")
	p := &provider{set: jwks(t, i)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		synctest.Wait()
		if n := p.count(); n != 1 {
			t.Fatalf("%d fetches before the first request, want 1", n)
		}
		verified(t, a, bearer(i.token(t, nil)))
		if n := p.count(); n != 0 {
			t.Errorf("the first request made %d fetches", n)
		}
		time.Sleep(time.Hour)
		if n := p.count(); n < 10 || n > 13 {
			t.Errorf("%d fetches in an hour, want about 12", n)
		}
	})
}

// TestFailedFetchesAreTriedAgain with doubling pauses; meanwhile tokens are
// refused at once, and requests without one pass.
func TestFailedFetchesAreTriedAgain(t *testing.T) {
	i := newIssuer(t, "i", "1")
	p := &provider{}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		start := time.Now()
		a := compileOn(keys, remoteRule())
		refused(t, a, bearer(i.token(t, nil)), fetchFailed)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for a provider that is down", waited)
		}
		accepted(t, a, get(nil, ""))
		time.Sleep(95 * time.Second)
		var at []int
		for _, fetch := range p.taken() {
			at = append(at, int(fetch.Sub(start).Seconds()))
		}
		if want := []int{0, 1, 3, 7, 15, 31, 61, 91}; !slices.Equal(at, want) {
			t.Errorf("fetches after %v seconds, want %v", at, want)
		}
		p.serve(jwks(t, i))
		time.Sleep(30 * time.Second)
		verified(t, a, bearer(i.token(t, nil)))
	})
}

// TestStaleKeysAreUsedForAnHour, and the token that was verified with them
// is no better than they.
func TestStaleKeysAreUsedForAnHour(t *testing.T) {
	i := newIssuer(t, "i", "1")
	p := &provider{set: jwks(t, i)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		token := i.token(t, claims{"exp": nil})
		verified(t, a, bearer(token))
		p.serve("")
		time.Sleep(time.Hour)
		verified(t, a, bearer(token))
		time.Sleep(time.Second)
		refused(t, a, bearer(token), fetchFailed)
		p.serve(jwks(t, i))
		time.Sleep(30 * time.Second)
		verified(t, a, bearer(token))
	})
}

// TestUnknownKeyIsFetchedOnce in thirty seconds.
func TestUnknownKeyIsFetchedOnce(t *testing.T) {
	first, second, third, never := newIssuer(t, "i", "1"), newIssuer(t, "i", "2"), newIssuer(t, "i", "3"), newIssuer(t, "i", "4")
	p := &provider{set: jwks(t, first)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		verified(t, a, bearer(first.token(t, nil)))
		p.count()
		p.serve(jwks(t, first, second))
		verified(t, a, bearer(second.token(t, nil))) // makes a fetch
		verified(t, a, bearer(first.token(t, nil)))
		p.serve(jwks(t, second, third))
		for range 100 {
			refused(t, a, bearer(never.token(t, nil)), mismatch)
		}
		refused(t, a, bearer(third.token(t, nil)), mismatch)
		time.Sleep(30*time.Second - 1)
		refused(t, a, bearer(third.token(t, nil)), mismatch)
		if n := p.count(); n != 1 {
			t.Fatalf("%d fetches, want 1", n)
		}
		time.Sleep(time.Nanosecond)
		verified(t, a, bearer(third.token(t, nil)))
		if n := p.count(); n != 1 {
			t.Fatalf("%d fetches after thirty seconds, want 1", n)
		}
		refused(t, a, bearer(first.token(t, nil)), mismatch) // remembered, but its key is gone
	})
}

// TestRotatedKeyWithoutKidIsFetchedToo: it looks like a bad signature.
func TestRotatedKeyWithoutKidIsFetchedToo(t *testing.T) {
	first, second := newIssuer(t, "i", ""), newIssuer(t, "i", "")
	p := &provider{set: jwks(t, first)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		verified(t, a, bearer(first.token(t, nil)))
		p.serve(jwks(t, second))
		verified(t, a, bearer(second.token(t, nil)))
		refused(t, a, bearer(first.token(t, nil)), fails)
	})
}
