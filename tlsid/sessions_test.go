package tlsid_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A pair is two workloads of two roots who trust both.
type pair struct {
	domain       tlsid.TrustDomain
	left, right  authority
	client, peer tlsid.Credential
}

func newPair(t testing.TB) pair {
	p := pair{domain: domain(t, "td"), left: newAuthority(t, "left"), right: newAuthority(t, "right")}
	both := trusting(p.domain, p.left, p.right)
	p.client = credential(t, p.left.leaf(t, nil, "spiffe://td/client"), both)
	p.peer = credential(t, p.right.leaf(t, nil, "spiffe://td/server"), both)
	return p
}

// eachVersion runs a test for each version of TLS that may be spoken.
func eachVersion(t *testing.T, test func(t *testing.T, version uint16)) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) { test(t, version) })
	}
}

func resuming(own *tlsid.Current, version uint16) *tls.Config {
	config := tlsid.ClientConfig(own, tlsid.Expect{MinVersion: version, Sessions: tls.NewLRUClientSessionCache(0), ServerName: "server"})
	config.MaxVersion = version
	return config
}

// expect holds a handshake to whether it resumed.
func expect(t *testing.T, resumed bool, client, server side) {
	t.Helper()
	if client.err != nil || server.err != nil {
		t.Fatalf("the client sees %v, the server %v", client.err, server.err)
	}
	if client.state.DidResume != resumed || server.state.DidResume != resumed {
		t.Errorf("resumed: %v and %v, want %v", client.state.DidResume, server.state.DidResume, resumed)
	}
}

func TestSessionsResumeUnderTheSameRoots(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		client, server := resuming(holding(p.client), version), tlsid.ServerConfig(holding(p.peer), tlsid.Accept{MinVersion: version})
		for i := range 3 {
			c, s := shake(t, client, server)
			expect(t, i > 0, c, s)
			if id, err := tlsid.PeerOf(s.state); id != p.client.ID() || err != nil {
				t.Errorf("handshake %d: the client is %s, %v", i, id, err)
			}
			if id, err := tlsid.PeerOf(c.state); id != p.peer.ID() || err != nil {
				t.Errorf("handshake %d: the server is %s, %v", i, id, err)
			}
		}
	})
}

// A session says who the client was: of two that share a cache none is the other.
func TestSessionsAreOfOneIdentity(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		own := holding(p.client)
		client, server := resuming(own, version), tlsid.ServerConfig(holding(p.peer), tlsid.Accept{MinVersion: version})
		shake(t, client, server)
		other := credential(t, p.left.leaf(t, nil, "spiffe://td/other"), p.client.Bundles())
		own.Store(other)
		c, s := shake(t, client, server)
		expect(t, false, c, s)
		if id, err := tlsid.PeerOf(s.state); id != other.ID() || err != nil {
			t.Errorf("the client is %s, %v", id, err)
		}
		own.Store(p.client)
		c, s = shake(t, client, server)
		expect(t, true, c, s)
	})
}

func TestARemovedClientCannotResume(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		own := holding(p.peer)
		client, server := resuming(holding(p.client), version), tlsid.ServerConfig(own, tlsid.Accept{MinVersion: version})
		shake(t, client, server)
		own.Store(p.peer.With(trusting(p.domain, p.right)))
		c, s := shake(t, client, server)
		if c.err == nil || !errors.Is(s.err, tlsid.ErrUntrusted) {
			t.Errorf("the client sees %v, the server %v", c.err, s.err)
		}
	})
}

// TestARemovedClientIsRefusedOnAResumedSession is the same without fresh ticket
// keys: the session does resume, and the verification of it says no.
func TestARemovedClientIsRefusedOnAResumedSession(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		own := holding(p.peer)
		client := resuming(holding(p.client), version)
		inner, err := tlsid.ServerConfig(own, tlsid.Accept{MinVersion: version}).GetConfigForClient(nil)
		if err != nil {
			t.Fatal(err)
		}
		shake(t, client, inner)
		c, s := shake(t, client, inner)
		expect(t, true, c, s)
		own.Store(p.peer.With(trusting(p.domain, p.right)))
		c, s = shake(t, client, inner)
		if c.err == nil || !errors.Is(s.err, tlsid.ErrUntrusted) || !s.state.DidResume {
			t.Errorf("resumed: %v; the client sees %v, the server %v", s.state.DidResume, c.err, s.err)
		}
	})
}

func TestARemovedServerIsRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		own := holding(p.client)
		client, server := resuming(own, version), bare(*p.peer.Certificate())
		shake(t, client, server)
		c, s := shake(t, client, server)
		expect(t, true, c, s)
		own.Store(p.client.With(trusting(p.domain, p.left)))
		if c, _ := shake(t, client, server); !errors.Is(c.err, tlsid.ErrUntrusted) {
			t.Errorf("the client sees %v", c.err)
		}
	})
}

// TestAServerMayMoveToANewRoot: the client does not resume the session with the
// server's old certificate, which its roots do not vouch for any more.
func TestAServerMayMoveToANewRoot(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		ownClient, ownServer := holding(p.client), holding(p.peer)
		client, server := resuming(ownClient, version), tlsid.ServerConfig(ownServer, tlsid.Accept{MinVersion: version})
		shake(t, client, server)
		left := trusting(p.domain, p.left)
		ownServer.Store(credential(t, p.left.leaf(t, nil, "spiffe://td/server"), p.peer.Bundles()))
		ownClient.Store(p.client.With(left))
		c, s := shake(t, client, server)
		expect(t, false, c, s)
		c, s = shake(t, client, server)
		expect(t, true, c, s)
	})
}

func TestARenewedLeafKeepsSessions(t *testing.T) {
	p := newPair(t)
	own := holding(p.peer)
	client, server := resuming(holding(p.client), tls.VersionTLS13), tlsid.ServerConfig(own, tlsid.Accept{})
	shake(t, client, server)
	own.Store(credential(t, p.right.leaf(t, nil, "spiffe://td/server"), trusting(p.domain, p.right, p.left)))
	c, s := shake(t, client, server)
	expect(t, true, c, s)
}

func TestOpenConnectionsCanBeVerifiedAgain(t *testing.T) {
	p := newPair(t)
	own := holding(p.client)
	config := tlsid.ClientConfig(own, tlsid.Expect{})
	c, _ := shake(t, config, tlsid.ServerConfig(holding(p.peer), tlsid.Accept{}))
	if err := config.VerifyConnection(c.state); err != nil {
		t.Error(err)
	}
	own.Store(p.client.With(trusting(p.domain, p.left)))
	if err := config.VerifyConnection(c.state); !errors.Is(err, tlsid.ErrUntrusted) {
		t.Errorf("got %v", err)
	}
}

// TestHandshakesSucceedWhileAllRotates: leaves are renewed and the root is
// replaced; sessions are resumed where they can be. A handshake over real
// sockets takes no time in a bubble, so a slow machine lets nothing expire.
func TestHandshakesSucceedWhileAllRotates(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{LeafLifetime: time.Minute})
		a, b := watch(ctx, ca.Workload("a")), watch(ctx, ca.Workload("b"))
		pass(time.Minute)
		ownClient, ownServer := holding(last(t, a)), holding(last(t, b))
		client, server := resuming(ownClient, tls.VersionTLS13), tlsid.ServerConfig(ownServer, tlsid.Accept{})
		old := ca.Bundles().Roots(domain(t, "cluster.local"))[0]
		if err := ca.Rotate(); err != nil {
			t.Fatal(err)
		}
		resumed, full := 0, 0
		for slices.ContainsFunc(ca.Bundles().Roots(domain(t, "cluster.local")), old.Equal) {
			pass(300 * time.Millisecond)
			ownServer.Store(last(t, b))
			near, far := shake(t, client, server)
			if near.err != nil || far.err != nil {
				t.Fatalf("the client sees %v, the server %v", near.err, far.err)
			}
			ownClient.Store(last(t, a))
			if near.state.DidResume {
				resumed++
			} else {
				full++
			}
		}
		if resumed < 100 || full < 3 {
			t.Errorf("%d sessions are resumed, %d are not", resumed, full)
		}
	})
}

// TestSessionsThatExpireSoonAreNotResumed: else the certificate might expire in
// the middle of the handshake, which then fails, where a full one does not.
func TestSessionsThatExpireSoonAreNotResumed(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t)
		both := p.client.Bundles()
		expiring := func(in time.Duration) func(*x509.Certificate) {
			return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(in) }
		}
		for _, c := range []struct {
			client, server time.Duration
			resumed        bool
		}{
			{time.Minute, time.Minute, true},
			{8 * time.Second, time.Minute, false},
			{time.Minute, 8 * time.Second, false},
		} {
			client := resuming(holding(credential(t, p.left.leaf(t, expiring(c.client), "spiffe://td/client"), both)), version)
			peer := holding(credential(t, p.right.leaf(t, expiring(c.server), "spiffe://td/server"), both))
			server := tlsid.ServerConfig(peer, tlsid.Accept{MinVersion: version})
			shake(t, client, server)
			near, far := shake(t, client, server)
			expect(t, c.resumed, near, far)
		}
	})
}
