package tlsid_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

// first is the first credential of a source.
func first(t *testing.T, s tlsid.Source) tlsid.Credential {
	t.Helper()
	for c, err := range s.Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Fatal("the source yields nothing")
	return tlsid.Credential{}
}

func TestCAOfADirectoryIsOne(t *testing.T) {
	dir := t.TempDir() + "/ca"
	a, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !a.Bundles().Equal(b.Bundles()) {
		t.Error("two CAs in one directory have different roots")
	}
	var ca, cb tlsid.Current
	ca.Store(first(t, a.Workload("reviews")))
	cb.Store(first(t, b.Workload("prod/ratings")))
	x, y := net.Pipe()
	client, server := tls.Client(x, tlsid.ClientConfig(&ca, tlsid.Expect{})), tls.Server(y, tlsid.ServerConfig(&cb, tlsid.Accept{}))
	done := make(chan error)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	id, err := tlsid.PeerOf(client.ConnectionState())
	t.Log(id, err)
	id, err = tlsid.PeerOf(server.ConnectionState())
	t.Log(id, err)
}
