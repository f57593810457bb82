package tlsid_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A row is a peer's certificate and what becomes of it.
type row struct {
	name        string
	certificate tls.Certificate
	want        error  // nil: the peer is let in
	says        string // in the error
}

const peerID = "spiffe://td/ns/default/sa/peer"

// matrix is crafted chains, each with what is to become of it on either side,
// where td and friend have bundles, old is an alias of td, and nothing else.
func matrix(t testing.TB, root, friend authority) []row {
	leaf := func(change func(*x509.Certificate), uris ...string) tls.Certificate {
		return root.leaf(t, change, uris...)
	}
	usage := func(u x509.KeyUsage) tls.Certificate {
		return leaf(func(c *x509.Certificate) { c.KeyUsage = u }, peerID)
	}
	now := time.Now()
	between := func(from, to time.Duration) tls.Certificate {
		return leaf(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }, peerID)
	}
	middle := root.under(t, "middle", nil)
	deaf := root.under(t, "no CA", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	late := root.under(t, "expired", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	confined := root.under(t, "confined", func(c *x509.Certificate) { c.PermittedURIDomains = []string{"elsewhere"} })
	lonely := middle.leaf(t, nil, peerID)
	lonely.Certificate = lonely.Certificate[:1]
	return []row{
		{"a leaf", leaf(nil, peerID), nil, ""},
		{"a leaf of an intermediate", middle.leaf(t, nil, peerID), nil, ""},
		{"a leaf of two intermediates", middle.under(t, "lower", nil).leaf(t, nil, peerID), nil, ""},
		{"a leaf with other names too", leaf(func(c *x509.Certificate) { c.DNSNames = []string{"peer", "other"} }, peerID), nil, ""},
		{"a leaf without key usages", usage(0), nil, ""},
		{"a leaf without extended key usages", leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil }, peerID), nil, ""},
		{"a leaf of another shape of path", leaf(nil, "spiffe://td/x"), nil, ""},
		{"a leaf of a friend", friend.leaf(t, nil, "spiffe://friend/a"), nil, ""},
		{"a leaf of an alias", leaf(nil, "spiffe://old/ns/default/sa/peer"), nil, ""},

		{"no URI name", leaf(nil), tlsid.ErrNotSVID, "0 URI names"},
		{"two URI names", leaf(nil, peerID, "spiffe://td/b"), tlsid.ErrNotSVID, "2 URI names"},
		{"the same URI name twice", leaf(nil, peerID, peerID), tlsid.ErrNotSVID, "2 URI names"},
		{"a URL", leaf(nil, "https://td/a"), tlsid.ErrNotSVID, "does not begin with spiffe"},
		{"upper case in the trust domain", leaf(nil, "spiffe://TD/a"), tlsid.ErrNotSVID, "character 'T'"},
		{"a port", leaf(nil, "spiffe://td:1/a"), tlsid.ErrNotSVID, "character ':'"},
		{"percent-encoding", leaf(nil, "spiffe://td/a%62"), tlsid.ErrNotSVID, "character '%'"},
		{"a query", leaf(nil, "spiffe://td/a?"), tlsid.ErrNotSVID, "character '?'"},
		{"no path", leaf(nil, "spiffe://td"), tlsid.ErrNotSVID, "no path"},
		{"the root path", leaf(nil, "spiffe://td/"), tlsid.ErrNotSVID, "slash"},
		{"a CA", leaf(func(c *x509.Certificate) { c.IsCA = true }, peerID), tlsid.ErrNotSVID, "is a CA"},
		{"keyCertSign", usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign), tlsid.ErrNotSVID, "may sign certificates"},
		{"cRLSign", usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign), tlsid.ErrNotSVID, "may sign certificates"},
		{"no digitalSignature", usage(x509.KeyUsageKeyEncipherment), tlsid.ErrNotSVID, "digitalSignature"},

		{"expired", between(-time.Hour, -time.Minute), tlsid.ErrUntrusted, "expired or is not yet valid"},
		{"not yet valid", between(time.Minute, time.Hour), tlsid.ErrUntrusted, "expired or is not yet valid"},
		{"code signing only", leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }, peerID), tlsid.ErrUntrusted, "incompatible key usage"},
		{"an unknown trust domain", leaf(nil, "spiffe://stranger/a"), tlsid.ErrUntrusted, "no roots of trust domain stranger"},
		{"an ID of a friend signed by our root", leaf(nil, "spiffe://friend/a"), tlsid.ErrUntrusted, "unknown authority"},
		{"an ID of ours signed by a friend", friend.leaf(t, nil, peerID), tlsid.ErrUntrusted, "unknown authority"},
		{"an alias signed by a friend", friend.leaf(t, nil, "spiffe://old/a"), tlsid.ErrUntrusted, "unknown authority"},
		{"a stranger's root of the same name", newAuthority(t, "root").leaf(t, nil, peerID), tlsid.ErrUntrusted, "unknown authority"},
		{"an intermediate that is not sent", lonely, tlsid.ErrUntrusted, "unknown authority"},
		{"an intermediate that is no CA", deaf.leaf(t, nil, peerID), tlsid.ErrUntrusted, ""},
		{"an intermediate that has expired", late.leaf(t, nil, peerID), tlsid.ErrUntrusted, ""},
		{"an intermediate for another domain", confined.leaf(t, nil, peerID), tlsid.ErrUntrusted, "not permitted"},
	}
}

// world is the bundles, and the own credential, that matrix is about.
func world(t testing.TB) (own tlsid.Credential, rows []row) {
	root, friend := newAuthority(t, "root"), newAuthority(t, "friend")
	bundles := tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{
		domain(t, "td"): {root.certificate}, domain(t, "friend"): {friend.certificate},
	})
	return credential(t, root.leaf(t, nil, "spiffe://td/own"), bundles), matrix(t, root, friend)
}

func TestAClientVerifiesTheServer(t *testing.T) {
	own, rows := world(t)
	config := tlsid.ClientConfig(holding(own), tlsid.Expect{Aliases: []tlsid.TrustDomain{domain(t, "old")}})
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			client, server := shake(t, config, bare(r.certificate))
			r.check(t, client)
			if (server.err == nil) != (r.want == nil) {
				t.Errorf("the server sees %v", server.err)
			}
		})
	}
}

func TestAServerVerifiesTheClient(t *testing.T) {
	own, rows := world(t)
	config := tlsid.ServerConfig(holding(own), tlsid.Accept{Aliases: []tlsid.TrustDomain{domain(t, "old")}})
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			client, server := shake(t, bare(r.certificate), config)
			r.check(t, server)
			if (client.err == nil) != (r.want == nil) {
				t.Errorf("the client sees %v", client.err)
			}
		})
	}
}

// bare is the configuration of a peer that verifies nothing.
func bare(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates:         []tls.Certificate{certificate},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
		InsecureSkipVerify:   true,
		ClientAuth:           tls.RequireAnyClientCert,
	}
}

// check holds what a side has seen of the row's certificate to the row.
func (r row) check(t *testing.T, seen side) {
	t.Helper()
	if !errors.Is(seen.err, r.want) || r.want == nil && seen.err != nil {
		t.Fatalf("got %v, want %v", seen.err, r.want)
	}
	if r.want != nil {
		var refused *tlsid.PeerError
		if !errors.As(seen.err, &refused) || !strings.Contains(seen.err.Error(), r.says) {
			t.Errorf("got %v, want %s in it", seen.err, r.says)
		}
		return
	}
	peer, err := tlsid.PeerOf(seen.state)
	if want := r.certificate.Leaf.URIs[0].String(); peer.String() != want || err != nil {
		t.Errorf("the peer is %s, %v, want %s", peer, err, want)
	}
}

func TestExtendedKeyUsageIsOfTheRole(t *testing.T) {
	root := newAuthority(t, "root")
	own := credential(t, root.leaf(t, nil, "spiffe://td/own"), trusting(domain(t, "td"), root))
	only := func(u x509.ExtKeyUsage) tls.Certificate {
		return root.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{u} }, peerID)
	}
	client, server := tlsid.ClientConfig(holding(own), tlsid.Expect{}), tlsid.ServerConfig(holding(own), tlsid.Accept{})
	serverOnly, clientOnly := only(x509.ExtKeyUsageServerAuth), only(x509.ExtKeyUsageClientAuth)
	if seen, _ := shake(t, client, bare(serverOnly)); seen.err != nil {
		t.Errorf("a server with serverAuth: %v", seen.err)
	}
	if _, seen := shake(t, bare(clientOnly), server); seen.err != nil {
		t.Errorf("a client with clientAuth: %v", seen.err)
	}
	if seen, _ := shake(t, client, bare(clientOnly)); !errors.Is(seen.err, tlsid.ErrUntrusted) {
		t.Errorf("a server with clientAuth: %v", seen.err)
	}
	if _, seen := shake(t, bare(serverOnly), server); !errors.Is(seen.err, tlsid.ErrUntrusted) {
		t.Errorf("a client with serverAuth: %v", seen.err)
	}
}

func TestOnlyExpectedPeersAreLetIn(t *testing.T) {
	root := newAuthority(t, "root")
	own := holding(credential(t, root.leaf(t, nil, "spiffe://td/own"), trusting(domain(t, "td"), root)))
	for _, c := range []struct {
		peer    string
		expect  []string
		aliases []string
		want    error
	}{
		{"spiffe://td/a", nil, nil, nil},
		{"spiffe://td/a", []string{"spiffe://td/a"}, nil, nil},
		{"spiffe://td/a", []string{"spiffe://td/b", "spiffe://td/a"}, nil, nil},
		{"spiffe://td/a", []string{"spiffe://td/b"}, nil, tlsid.ErrUnexpected},
		{"spiffe://td/a", []string{"spiffe://td/A"}, nil, tlsid.ErrUnexpected},
		{"spiffe://td/a/b", []string{"spiffe://td/a"}, nil, tlsid.ErrUnexpected},
		{"spiffe://td/a", []string{"spiffe://td"}, nil, tlsid.ErrUnexpected},
		{"spiffe://old/a", []string{"spiffe://td/a"}, []string{"old"}, nil},
		{"spiffe://td/a", []string{"spiffe://old/a"}, []string{"old"}, nil},
		{"spiffe://old/a", []string{"spiffe://older/a"}, []string{"old", "older"}, nil},
		{"spiffe://old/a", []string{"spiffe://td/b"}, []string{"old"}, tlsid.ErrUnexpected},
		{"spiffe://old/a", []string{"spiffe://td/a"}, nil, tlsid.ErrUntrusted},
	} {
		var expect tlsid.Expect
		for _, s := range c.expect {
			expect.IDs = append(expect.IDs, id(t, s))
		}
		for _, s := range c.aliases {
			expect.Aliases = append(expect.Aliases, domain(t, s))
		}
		peer := bare(root.leaf(t, nil, c.peer))
		client, _ := shake(t, tlsid.ClientConfig(own, expect), peer)
		_, server := shake(t, peer, tlsid.ServerConfig(own, tlsid.Accept{IDs: expect.IDs, Aliases: expect.Aliases}))
		for _, seen := range []side{client, server} {
			if !errors.Is(seen.err, c.want) || c.want == nil && seen.err != nil {
				t.Errorf("%+v: got %v", c, seen.err)
			}
		}
	}
}

// TestAnAliasWithRootsOfItsOwn: aliases take the own roots only where there are
// no others.
func TestAnAliasWithRootsOfItsOwn(t *testing.T) {
	root, old := newAuthority(t, "root"), newAuthority(t, "old")
	bundles := tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{
		domain(t, "td"): {root.certificate}, domain(t, "old"): {old.certificate},
	})
	own := holding(credential(t, root.leaf(t, nil, "spiffe://td/own"), bundles))
	config := tlsid.ClientConfig(own, tlsid.Expect{Aliases: []tlsid.TrustDomain{domain(t, "old")}})
	if seen, _ := shake(t, config, bare(old.leaf(t, nil, "spiffe://old/a"))); seen.err != nil {
		t.Error(seen.err)
	}
	if seen, _ := shake(t, config, bare(root.leaf(t, nil, "spiffe://old/a"))); !errors.Is(seen.err, tlsid.ErrUntrusted) {
		t.Errorf("got %v", seen.err)
	}
}

func TestWithoutACredentialHandshakesFail(t *testing.T) {
	root := newAuthority(t, "root")
	peer := bare(root.leaf(t, nil, peerID))
	var none tlsid.Current
	if seen, _ := shake(t, tlsid.ClientConfig(&none, tlsid.Expect{}), peer); !errors.Is(seen.err, tlsid.ErrNoCredential) {
		t.Errorf("the client sees %v", seen.err)
	}
	server := tlsid.ServerConfig(&none, tlsid.Accept{})
	if _, seen := shake(t, peer, server); !errors.Is(seen.err, tlsid.ErrNoCredential) {
		t.Errorf("the server sees %v", seen.err)
	}
	none.Store(credential(t, root.leaf(t, nil, peerID), trusting(domain(t, "td"), root)))
	if _, seen := shake(t, peer, server); seen.err != nil {
		t.Errorf("with a credential the server sees %v", seen.err)
	}
}

func TestClientsWithoutACertificateAreRefused(t *testing.T) {
	root := newAuthority(t, "root")
	own := holding(credential(t, root.leaf(t, nil, peerID), trusting(domain(t, "td"), root)))
	if _, seen := shake(t, &tls.Config{InsecureSkipVerify: true}, tlsid.ServerConfig(own, tlsid.Accept{})); seen.err == nil {
		t.Error("it is let in")
	}
	if id, err := tlsid.PeerOf(tls.ConnectionState{}); !errors.Is(err, tlsid.ErrNotSVID) {
		t.Errorf("nobody is taken for %s, %v", id, err)
	}
}

func TestVersionsOfTLS(t *testing.T) {
	root := newAuthority(t, "root")
	own := holding(credential(t, root.leaf(t, nil, peerID), trusting(domain(t, "td"), root)))
	for min, want := range map[uint16][]uint16{ // to the versions that work
		0:                {tls.VersionTLS13},
		tls.VersionTLS13: {tls.VersionTLS13},
		tls.VersionTLS12: {tls.VersionTLS12, tls.VersionTLS13},
		tls.VersionTLS10: {tls.VersionTLS12, tls.VersionTLS13},
	} {
		var got []uint16
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			peer := bare(root.leaf(t, nil, peerID))
			peer.MinVersion, peer.MaxVersion = version, version
			client, _ := shake(t, tlsid.ClientConfig(own, tlsid.Expect{MinVersion: min}), peer)
			_, server := shake(t, peer, tlsid.ServerConfig(own, tlsid.Accept{MinVersion: min}))
			if (client.err == nil) != (server.err == nil) {
				t.Errorf("%x of %x: the client sees %v, the server %v", version, min, client.err, server.err)
			}
			if client.err == nil {
				got = append(got, version)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("minimum %x: got %x, want %x", min, got, want)
		}
	}
}

func TestProtocolsAndServerName(t *testing.T) {
	root := newAuthority(t, "root")
	own := holding(credential(t, root.leaf(t, nil, peerID), trusting(domain(t, "td"), root)))
	client, server := shake(t,
		tlsid.ClientConfig(own, tlsid.Expect{ServerName: "reviews", NextProtos: []string{"h2", "http/1.1"}}),
		tlsid.ServerConfig(own, tlsid.Accept{NextProtos: []string{"http/1.1"}}))
	if client.err != nil || server.err != nil {
		t.Fatal(client.err, server.err)
	}
	if client.state.NegotiatedProtocol != "http/1.1" || server.state.ServerName != "reviews" {
		t.Errorf("got %q for %q", client.state.NegotiatedProtocol, server.state.ServerName)
	}
}
