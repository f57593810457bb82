package jwt_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// TestRequestsShareAFetch: all that come while it lasts.
func TestRequestsShareAFetch(t *testing.T) {
	first, second := newIssuer(t, "i", "1"), newIssuer(t, "i", "2")
	p := &provider{set: jwks(t, first), delay: time.Second}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		together(t, 50, func() { verified(t, a, bearer(first.token(t, nil))) })
		p.serve(jwks(t, first, second))
		together(t, 50, func() { verified(t, a, bearer(second.token(t, nil))) })
		if n := p.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func together(t *testing.T, n int, f func()) {
	t.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
	if took := time.Since(start); took != time.Second {
		t.Errorf("took %v, want one second", took)
	}
}

// TestWaitForKeysIsBounded by the rule's timeout and by the context.
func TestWaitForKeysIsBounded(t *testing.T) {
	i := newIssuer(t, "i", "1")
	for name, test := range map[string]struct{ rule, ctx, want time.Duration }{
		"default": {0, time.Hour, 5 * time.Second},
		"rule":    {2 * time.Second, time.Hour, 2 * time.Second},
		"context": {0, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, &provider{delay: time.Hour}, func(t *testing.T, keys *jwt.Keyring) {
				rule := remoteRule()
				if test.rule > 0 {
					rule.Timeout = durationpb.New(test.rule)
				}
				a := compileOn(keys, rule)
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), test.ctx)
				defer cancel()
				_, refusal := a.Authenticate(ctx, bearer(i.token(t, nil)))
				if refusal == nil || refusal.Message != fetchFailed {
					t.Fatalf("%+v", refusal)
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("waited %v, want %v", took, test.want)
				}
			})
		})
	}
}

// TestWaitForAnUnknownKeyIsBounded: a slow provider cannot hold a request that
// could be refused.
func TestWaitForAnUnknownKeyIsBounded(t *testing.T) {
	known, unknown := newIssuer(t, "i", "1"), newIssuer(t, "i", "2")
	p := &provider{set: jwks(t, known)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		synctest.Wait()
		p.mu.Lock()
		p.delay = time.Hour
		p.mu.Unlock()
		start := time.Now()
		refused(t, a, bearer(unknown.token(t, nil)), mismatch)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("waited %v, want 5s", took)
		}
		verified(t, a, bearer(known.token(t, nil)))
	})
}

// TestCloseDoesNotWaitForASlowProvider; after it, nothing is fetched.
func TestCloseDoesNotWaitForASlowProvider(t *testing.T) {
	i := newIssuer(t, "i", "1")
	stranger := newIssuer(t, "i", "2")
	p := &provider{set: jwks(t, i), delay: time.Second}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		verified(t, a, bearer(i.token(t, nil)))
		start := time.Now()
		keys.Close()
		keys.Close()
		for range 3 {
			refused(t, a, bearer(stranger.token(t, nil)), mismatch)
			time.Sleep(time.Minute)
		}
		verified(t, a, bearer(i.token(t, nil)))
		refused(t, compileOn(keys, remoteRule()), bearer(i.token(t, nil)), fetchFailed)
		if took := time.Since(start); took != 3*time.Minute {
			t.Errorf("somebody waited: %v", took)
		}
	})
	follow(t, &provider{delay: time.Hour}, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		var all sync.WaitGroup
		all.Go(func() { refused(t, a, bearer(i.token(t, nil)), fetchFailed) })
		synctest.Wait()
		start := time.Now()
		keys.Close()
		all.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}
