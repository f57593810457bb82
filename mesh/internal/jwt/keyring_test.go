package jwt_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// follow opens a keyring on the provider in a bubble, and closes it at the end.
func follow(t *testing.T, p *provider, f func(t *testing.T, keys *jwt.Keyring)) {
	synctest.Test(t, func(t *testing.T) {
		keys := jwt.New(jwt.Config{Client: &http.Client{Transport: p}})
		defer keys.Close()
		f(t, keys)
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
