package consulca_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

// A script is an agent in memory, with leaves and roots as a test says.
type script struct {
	mu      sync.Mutex
	leaf    any
	roots   any
	index   int
	changed chan struct{}
}

// say makes these the answers; nil is a failure.
func (s *script) say(leaf, roots any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaf, s.roots = leaf, roots
	s.index++
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

func (s *script) now(path string) (answer any, index string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer = s.roots
	if strings.HasPrefix(path, "/v1/agent/connect/ca/leaf/") {
		answer = s.leaf
	}
	return answer, fmt.Sprint(s.index), s.changed
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, index, changed := s.now(r.URL.Path)
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil && r.URL.Query().Get("index") == index {
		select {
		case <-changed:
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
		answer, index, _ = s.now(r.URL.Path)
	}
	w.Header().Set("X-Consul-Index", index)
	if answer == nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// An authority is a CA that issues as Consul's answers it.
type authority struct {
	t  *testing.T
	ca *tlsid.CA
}

func newAuthority(t *testing.T, lifetime time.Duration) authority {
	domain, err := tlsid.ParseTrustDomain("1-2.consul")
	must(t, err)
	ca, err := tlsid.NewCA(tlsid.CAConfig{TrustDomain: domain, LeafLifetime: lifetime})
	must(t, err)
	return authority{t, ca}
}

func (a authority) leaf() *api.LeafCert {
	id, err := tlsid.ParseID("spiffe://1-2.consul/ns/default/dc/dc1/svc/web")
	must(a.t, err)
	c, err := a.ca.Issue(id)
	must(a.t, err)
	key, err := x509.MarshalPKCS8PrivateKey(c.Certificate().PrivateKey)
	must(a.t, err)
	return &api.LeafCert{
		SerialNumber:  c.Certificate().Leaf.SerialNumber.String(),
		CertPEM:       encode("CERTIFICATE", c.Certificate().Certificate[0]),
		PrivateKeyPEM: encode("PRIVATE KEY", key),
	}
}

func (a authority) roots() *api.CARootList {
	list := &api.CARootList{TrustDomain: "1-2.consul"}
	for _, domain := range a.ca.Bundles().Domains() {
		for i, root := range a.ca.Bundles().Roots(domain) {
			list.Roots = append(list.Roots, &api.CARoot{ID: fmt.Sprint(i), RootCertPEM: encode("CERTIFICATE", root.Raw)})
		}
	}
	return list
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// pull follows a scripted agent in a bubble.
func (s *script) pull(t *testing.T) (next func() (tlsid.Credential, error)) {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: "agent", HttpClient: consultest.InMemory(s)})
	must(t, err)
	type news struct {
		c   tlsid.Credential
		err error
	}
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan news, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		for c, err := range consulca.New(client, "web").Watch(ctx) {
			told <- news{c, err}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return func() (tlsid.Credential, error) {
		n := <-told
		return n.c, n.err
	}
}

func TestALeafIsToldOnceAndAgainWhenItIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, time.Hour)
		var s script
		s.say(ca.leaf(), ca.roots())
		next := s.pull(t)
		first, err := next()
		if err != nil || first.ID().String() != "spiffe://1-2.consul/ns/default/dc/dc1/svc/web" {
			t.Fatalf("got %v, %v", first, err)
		}
		time.Sleep(20 * time.Minute)
		s.say(ca.leaf(), ca.roots())
		second, err := next()
		if err != nil || second.Certificate().Leaf.Equal(first.Certificate().Leaf) {
			t.Errorf("got %v, %v, want another leaf", second, err)
		}
	})
}

func TestALeafThatIsNotRenewedIsToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, time.Hour)
		var s script
		s.say(ca.leaf(), ca.roots())
		next := s.pull(t)
		start := time.Now()
		_, err := next()
		must(t, err)
		for _, want := range []struct {
			after time.Duration
			err   error
		}{{46 * time.Minute, tlsid.ErrExpiring}, {59 * time.Minute, tlsid.ErrOutOfTime}, {119 * time.Minute, tlsid.ErrOutOfTime}} {
			if _, err := next(); !errors.Is(err, want.err) || time.Since(start) < want.after || time.Since(start) > want.after+3*time.Minute {
				t.Errorf("got %v after %v, want %v after %v", err, time.Since(start), want.err, want.after)
			}
		}
	})
}

func TestALeafThatTheRootsDoNotVouchForWaitsForOnesThatDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := newAuthority(t, time.Hour), newAuthority(t, time.Hour)
		var s script
		s.say(old.leaf(), old.roots())
		next := s.pull(t)
		_, err := next()
		must(t, err)
		leaf := young.leaf()
		s.say(leaf, old.roots())
		if c, err := next(); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("got %v, %v", c, err)
		}
		both := young.roots()
		both.Roots = append(both.Roots, old.roots().Roots...)
		s.say(leaf, both)
		if c, err := next(); err != nil || len(c.Bundles().Roots(c.ID().TrustDomain())) != 2 {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

// Consul dates back its leaves by a minute, and its roots not at all: where a clock is
// slow, the root of a young cluster is not valid yet, though the leaf is.
func TestALeafWhoseRootIsNotValidYetIsTakenWhenItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s script
		s.say(issue(t, time.Now().Add(-time.Minute), time.Now().Add(20*time.Second)))
		next := s.pull(t)
		if c, err := next(); err == nil || !strings.Contains(err.Error(), "not yet valid") {
			t.Errorf("got %v, %v", c, err)
		}
		start := time.Now()
		if c, err := next(); err != nil || time.Since(start) > time.Minute {
			t.Errorf("got %v, %v after %v", c, err, time.Since(start))
		}
	})
}

// issue makes a leaf and its root, each valid from a time on.
func issue(t *testing.T, leafFrom, rootFrom time.Time) (*api.LeafCert, *api.CARootList) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	root := &x509.Certificate{
		NotBefore: rootFrom, NotAfter: rootFrom.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		NotBefore: leafFrom, NotAfter: leafFrom.Add(time.Hour),
		URIs: []*url.URL{{Scheme: "spiffe", Host: "1-2.consul", Path: "/ns/default/dc/dc1/svc/web"}},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	must(t, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	roots := []*api.CARoot{{ID: "young", RootCertPEM: encode("CERTIFICATE", rootDER)}}
	return &api.LeafCert{SerialNumber: "1", CertPEM: encode("CERTIFICATE", leafDER), PrivateKeyPEM: encode("PRIVATE KEY", keyDER)},
		&api.CARootList{TrustDomain: "1-2.consul", Roots: roots}
}

func TestAnAnswerThatIsNoneIsTroubleAndShowsNoKey(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*api.LeafCert, *api.CARootList) (leaf, roots any)
		want  string
	}{
		"no key":                 {func(l *api.LeafCert, r *api.CARootList) (any, any) { l.PrivateKeyPEM = l.CertPEM; return l, r }, "leaf: the agent's answer is no certificate with its key"},
		"no certificate":         {func(l *api.LeafCert, r *api.CARootList) (any, any) { l.CertPEM = l.PrivateKeyPEM; return l, r }, "leaf: the agent's answer"},
		"no leaf":                {func(_ *api.LeafCert, r *api.CARootList) (any, any) { return &api.LeafCert{}, r }, "leaf: the agent's answer"},
		"no trust domain":        {func(l *api.LeafCert, r *api.CARootList) (any, any) { r.TrustDomain = "No Domain"; return l, r }, "roots: "},
		"a root that is no root": {func(l *api.LeafCert, r *api.CARootList) (any, any) { r.Roots[0].RootCertPEM = "x"; return l, r }, "roots: root 0: want certificates in PEM"},
		"no answer":              {func(*api.LeafCert, *api.CARootList) (any, any) { return nil, nil }, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := newAuthority(t, time.Hour)
				var s script
				s.say(c.spoil(ca.leaf(), ca.roots()))
				next := s.pull(t)
				_, err := next()
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "KEY") {
					t.Errorf("got %v, want it to say %q", err, c.want)
				}
				s.say(ca.leaf(), ca.roots())
				for err != nil { // trouble with the other part may come first
					_, err = next()
				}
			})
		})
	}
}
