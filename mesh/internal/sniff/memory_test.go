package sniff_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

// A memory is a listener in memory.
type memory struct {
	queue  chan any // net.Conn or error
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory {
	return &memory{queue: make(chan any, 20_000), closed: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case next := <-m.queue:
		if err, ok := next.(error); ok {
			return nil, err
		}
		return next.(net.Conn), nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

// dial connects a client.
func (m *memory) dial(t *testing.T) net.Conn {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	m.queue <- server
	return client
}

// say connects a client that writes text.
func (m *memory) say(t *testing.T, text string) net.Conn {
	client := m.dial(t)
	go client.Write([]byte(text)) // a pipe has no buffer
	return client
}

func permissive() sniff.Mode { return sniff.Permissive }

// listen returns a Listener over m that is closed with the test.
func listen(t testing.TB, m net.Listener, c sniff.Config) *sniff.Listener {
	t.Helper()
	if c.TLS == nil {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := sniff.Listen(m, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept is l.Accept, of which no error is expected. The connection is closed
// with the test.
func accept(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func isTLS(conn net.Conn) bool {
	_, ok := conn.(*tls.Conn)
	return ok
}

// certificate returns a certificate for localhost that signs itself.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), // bubbles begin in 2000
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
