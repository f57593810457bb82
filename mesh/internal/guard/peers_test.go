package guard_test

import (
	"crypto/tls"
	"crypto/x509"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/tlsid"
)

// trusts gives the workload other roots.
func (d *door) trusts(roots ...*tlsid.CA) {
	domains := map[tlsid.TrustDomain][]*x509.Certificate{}
	for _, ca := range roots {
		for _, domain := range ca.Bundles().Domains() {
			domains[domain] = append(domains[domain], ca.Bundles().Roots(domain)...)
		}
	}
	own, _ := d.own.Load()
	d.own.Store(own.With(tlsid.NewBundles(domains)))
}

func TestRootsAreAskedAgainOnAnOpenConnection(t *testing.T) {
	d := newDoor(t, guard.Config{}, "")
	other, conn := newCA(t, tlsid.CAConfig{}), d.state("productpage")
	for _, step := range []struct {
		roots []*tlsid.CA
		want  int
	}{{[]*tlsid.CA{d.ca}, 0}, {[]*tlsid.CA{d.ca, other}, 0}, {[]*tlsid.CA{other}, 403}, {nil, 403}, {[]*tlsid.CA{d.ca}, 0}} {
		d.trusts(step.roots...)
		for range 2 {
			v := visit(conn, "/")
			d.admits(v, step.want)
			if known := v.Peer.String() == "spiffe://cluster.local/ns/default/sa/productpage"; known != (step.want == 0) {
				t.Errorf("the peer is %q", v.Peer)
			}
		}
	}
}

// A connection lives longer than the certificate that it was made with. What the
// peer has proven stands, unless its root goes.
func TestAPeerThatHasRenewedItsCertificateKeepsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{}, "")
		other, conn := newCA(t, tlsid.CAConfig{}), d.state("productpage")
		d.admits(visit(conn, "/"), 0)
		time.Sleep(24 * time.Hour) // paused time: the certificate lived an hour
		d.admits(visit(conn, "/"), 0)
		d.trusts(d.ca, other)
		d.admits(visit(conn, "/"), 0)
		d.trusts(other)
		d.admits(visit(conn, "/"), 403)
	})
}

func TestACertificateThatHasExpiredOpensNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{}, "")
		conn := d.state("productpage")
		time.Sleep(2 * time.Hour) // paused time
		d.admits(visit(conn, "/"), 403)
		d.trusts(d.ca, newCA(t, tlsid.CAConfig{}))
		d.admits(visit(conn, "/"), 403)
	})
}

func TestPeersOfAnAliasAreOfTheOwnRoots(t *testing.T) {
	alias, err := tlsid.ParseTrustDomain("old.example")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{Aliases: []tlsid.TrustDomain{alias}}, "")
		old := newCA(t, tlsid.CAConfig{TrustDomain: alias})
		conn := stateOf(t, d.issue(old, "productpage"))
		d.admits(visit(conn, "/"), 403)
		own, _ := d.own.Load()
		domain, more := d.ca.Bundles().Domains()[0], old.Bundles().Roots(alias)
		d.own.Store(own.With(tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{domain: append(d.ca.Bundles().Roots(domain), more...)})))
		v := visit(conn, "/")
		d.admits(v, 0)
		if got := v.Peer.TrustDomain(); got != alias {
			t.Errorf("the peer is of %s, it said %s", got, alias)
		}
		time.Sleep(2 * time.Hour) // paused time
		d.own.Store(own.With(tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{domain: more})))
		d.admits(visit(conn, "/"), 0)
		d.own.Store(own.With(tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{domain: more, alias: nil})))
		d.admits(visit(conn, "/"), 403) // the alias has roots of its own: none
	})
}

// A server certificate of another kind, as for a browser, names no workload.
func TestOtherCertificatesProveNothing(t *testing.T) {
	d := newDoor(t, guard.Config{}, everythingStrict)
	conn := d.state("productpage")
	leaf := *conn.PeerCertificates[0]
	leaf.URIs = nil
	conn.PeerCertificates = []*x509.Certificate{&leaf}
	if r := d.admits(visit(conn, "/"), 403); r != nil && !r.Close {
		t.Error("the connection stays open")
	}
	d.obey("")
	v := visit(conn, "/")
	d.admits(v, 0)
	if !v.Peer.IsZero() {
		t.Errorf("the peer is %s", v.Peer)
	}
}

const everythingStrict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
`

func TestConnectionsAreForgottenWhenTheyAreGone(t *testing.T) {
	d := newDoor(t, guard.Config{}, "")
	for range 100 {
		d.admits(visit(d.state("productpage"), "/"), 0)
	}
	for i := 0; d.Known() > 1 && i < 1000; i++ {
		runtime.GC()
		runtime.Gosched()
	}
	if n := d.Known(); n > 1 {
		t.Errorf("%d connections of 100 are remembered", n)
	}
}

// net/http makes a copy of the state for each HTTP/2 request of scheme http, which
// Envoy sends over TLS too.
func TestCopiesOfAStateAreOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{}, "")
		conn := d.state("productpage") // for an hour
		for _, wait := range []time.Duration{0, 50 * time.Minute, 50 * time.Minute} {
			time.Sleep(wait) // paused time
			again := *conn
			v := visit(&again, "/")
			d.admits(v, 0)
			if v.Aged != (wait > 0) {
				t.Errorf("after %v more: aged: %t", wait, v.Aged)
			}
		}
		if n := d.Known(); n != 1 {
			t.Errorf("one connection is taken for %d", n)
		}
		runtime.KeepAlive(conn)
	})
}

// Connections give way while the root of their certificate is still there; those
// that are made late, with a certificate of little time, sooner.
func TestConnectionsAgeWithTheirCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{}, "")
		credential := d.issue(d.ca, "productpage") // for an hour
		early, late := stateOf(t, credential), stateOf(t, credential)
		aged := func(conn *tls.ConnectionState) bool {
			v := visit(conn, "/")
			d.admits(v, 0)
			return v.Aged
		}
		for _, step := range []struct {
			wait        time.Duration
			early, late bool
		}{{0, false, false}, {44 * time.Minute, false, false}, {2 * time.Minute, true, false}, {11 * time.Minute, true, true}} {
			time.Sleep(step.wait) // paused time
			if got := aged(early); got != step.early {
				t.Errorf("after %v more: the early one is aged: %t", step.wait, got)
			}
			if step.wait < 44*time.Minute && step.wait > 0 && aged(late) != step.late {
				t.Errorf("after %v more: the late one is aged: %t", step.wait, !step.late)
			}
		}
		if v := visit(nil, "/"); d.Admit(t.Context(), v) != nil || v.Aged {
			t.Error("plaintext ages")
		}
	})
}
