package jwt_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

const fetchFailed = "Jwks remote fetch is failed"

// A provider is a web server with a key set, in memory.
type provider struct {
	mu      sync.Mutex
	set     string // "": it is down
	delay   time.Duration
	fetches []time.Time
}

func (p *provider) serve(set string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = set
}

func (p *provider) take(now time.Time) (set string, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches = append(p.fetches, now)
	return p.set, p.delay
}

// taken is when the fetches came, since it was asked last.
func (p *provider) taken() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.fetches = nil }()
	return p.fetches
}

func (p *provider) count() int { return len(p.taken()) }

func (p *provider) RoundTrip(req *http.Request) (*http.Response, error) {
	set, delay := p.take(time.Now())
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if set == "" {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(set)), Request: req}, nil
}

// remoteRule trusts the provider.
func remoteRule() *security.JWTRule {
	return &security.JWTRule{Issuer: "i", JwksUri: "http://provider/keys"}
}

// follow opens a keyring on the provider in a bubble, and closes it at the end.
func follow(t *testing.T, p *provider, f func(t *testing.T, keys *jwt.Keyring)) {
	synctest.Test(t, func(t *testing.T) {
		keys := jwt.New(jwt.Config{Client: &http.Client{Transport: p}})
		defer keys.Close()
		f(t, keys)
	})
}

func compileOn(keys *jwt.Keyring, rules ...*security.JWTRule) *jwt.Authenticator {
	return keys.Compile(policies(policy(rules...)), workload, "istio-system")
}

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
		time.Sleep(1)
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

// TestRememberedTokenExpires.
func TestRememberedTokenExpires(t *testing.T) {
	i := newIssuer(t, "i", "1")
	p := &provider{set: jwks(t, i)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		a := compileOn(keys, remoteRule())
		token := i.token(t, claims{"exp": time.Now().Add(time.Minute).Unix()})
		verified(t, a, bearer(token))
		time.Sleep(2 * time.Minute)
		verified(t, a, bearer(token)) // the skew
		time.Sleep(time.Second)
		refused(t, a, bearer(token), "Jwt is expired")
	})
}

// TestKeysOutliveTheRules that name them, and no longer.
func TestKeysOutliveTheRules(t *testing.T) {
	i := newIssuer(t, "i", "1")
	p := &provider{set: jwks(t, i)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		token := i.token(t, claims{"exp": nil})
		old := compileOn(keys, remoteRule(), from(remoteRule(), "x-other"))
		verified(t, old, bearer(token))
		verified(t, compileOn(keys, remoteRule()), bearer(token))
		if n := p.count(); n != 1 {
			t.Errorf("%d fetches for four rules with one source, want 1", n)
		}
		accepted(t, compileOn(keys), bearer(token))
		time.Sleep(time.Hour)
		if n := p.count(); n != 0 {
			t.Errorf("%d fetches that nobody wants", n)
		}
		verified(t, old, bearer(token)) // a request that began under the old rules
		time.Sleep(time.Second)
		refused(t, old, bearer(token), fetchFailed)
		verified(t, compileOn(keys, remoteRule()), bearer(token))
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

// TestRulesAndKeysChangeUnderLoad: no good token is refused, whatever is swapped.
func TestRulesAndKeysChangeUnderLoad(t *testing.T) {
	i := newIssuer(t, "i", "1")
	other := newIssuer(t, "i", "2")
	p := &provider{set: jwks(t, i)}
	follow(t, p, func(t *testing.T, keys *jwt.Keyring) {
		var live atomic.Pointer[jwt.Authenticator]
		live.Store(compileOn(keys, remoteRule()))
		token := i.token(t, claims{"exp": nil})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 200 {
					if _, refusal := live.Load().Authenticate(context.Background(), bearer(token)); refusal != nil {
						t.Error(refusal.Message)
					}
					time.Sleep(7 * time.Second)
				}
			})
		}
		for n := range 100 {
			p.serve(jwks(t, []issuer{i, other}[:1+n%2]...))
			rule := remoteRule()
			rule.ForwardOriginalToken = n%3 == 0
			live.Store(compileOn(keys, rule))
			time.Sleep(13 * time.Second)
		}
		all.Wait()
	})
}
