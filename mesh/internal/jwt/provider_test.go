package jwt_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

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

func compileOn(keys *jwt.Keyring, rules ...*security.JWTRule) *jwt.Authenticator {
	return keys.Compile(policies(policy(rules...)), workload, "istio-system")
}
