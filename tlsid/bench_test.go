package tlsid_test

import (
	"crypto/tls"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

// benchmarkHandshake measures both sides of a handshake, and the connection.
func benchmarkHandshake(b *testing.B, sessions tls.ClientSessionCache) {
	p := newPair(b)
	client := tlsid.ClientConfig(holding(p.client), tlsid.Expect{Sessions: sessions, ServerName: "server"})
	server := tlsid.ServerConfig(holding(p.peer), tlsid.Accept{})
	shake(b, client, server)
	b.ReportAllocs()
	for b.Loop() {
		if c, s := shake(b, client, server); c.err != nil || s.err != nil || c.state.DidResume != (sessions != nil) {
			b.Fatal(c.err, s.err, c.state.DidResume)
		}
	}
}

func BenchmarkHandshakeFull(b *testing.B)    { benchmarkHandshake(b, nil) }
func BenchmarkHandshakeResumed(b *testing.B) { benchmarkHandshake(b, tls.NewLRUClientSessionCache(0)) }

// BenchmarkVerify measures what is done to a peer's chain, once per handshake.
func BenchmarkVerify(b *testing.B) {
	p := newPair(b)
	config := tlsid.ClientConfig(holding(p.client), tlsid.Expect{IDs: []tlsid.ID{p.peer.ID()}})
	c, _ := shake(b, config, tlsid.ServerConfig(holding(p.peer), tlsid.Accept{}))
	b.ReportAllocs()
	for b.Loop() {
		if err := config.VerifyConnection(c.state); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeerOf(b *testing.B) {
	p := newPair(b)
	c, _ := shake(b, tlsid.ClientConfig(holding(p.client), tlsid.Expect{}), tlsid.ServerConfig(holding(p.peer), tlsid.Accept{}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tlsid.PeerOf(c.state); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/reviews"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocationsOfWhatIsDoneOften: a handshake's configuration is looked up
// without any, and so is an ID parsed.
func TestAllocationsOfWhatIsDoneOften(t *testing.T) {
	p := newPair(t)
	own := holding(p.peer)
	server := tlsid.ServerConfig(own, tlsid.Accept{})
	c, _ := shake(t, bare(*p.client.Certificate()), server)
	for name, of := range map[string]struct {
		want float64
		do   func()
	}{
		"Load":               {0, func() { own.Load() }},
		"GetConfigForClient": {0, func() { _, _ = server.GetConfigForClient(nil) }},
		"GetCertificate":     {0, func() { _, _ = server.GetCertificate(nil) }},
		"ParseID":            {0, func() { _, _ = tlsid.ParseID("spiffe://cluster.local/ns/default/sa/reviews") }},
		"Workload":           {0, func() { p.peer.ID().Workload() }},
		"PeerOf":             {1, func() { _, _ = tlsid.PeerOf(c.state) }},
	} {
		if got := testing.AllocsPerRun(100, of.do); got != of.want {
			t.Errorf("%s: %v allocations, want %v", name, got, of.want)
		}
	}
}
