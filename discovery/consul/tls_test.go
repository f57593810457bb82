package consul_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// An authority issues certificates for an agent and its clients.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "agents"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.pem, a.key = a.sign(a.cert, nil)
	return a
}

// sign returns the certificate of a template, by the authority's key or, where there
// is none yet, by its own.
func (a *authority) sign(template *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), by)
	must(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

// issue returns a certificate for loopback, and its key.
func (a *authority) issue(serial int64) (cert, key []byte) {
	a.t.Helper()
	cert, private := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(a.t, err)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// An agent that speaks mutual TLS and asks for tokens: all that goes to it does so
// as the client says.
func TestAnAgentBehindMutualTLSAndTokensIsAskedByThem(t *testing.T) {
	t.Parallel()
	ca, dir, port := newAuthority(t), t.TempDir(), consultest.FreePort(t)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, data, 0o600))
		return path
	}
	cert, key := ca.issue(2)
	consultest.Start(t, consultest.Config{HTTPS: port, Settings: map[string]any{
		"tls": map[string]any{"https": map[string]any{
			"ca_file": write("ca.pem", ca.pem), "cert_file": write("cert.pem", cert), "key_file": write("key.pem", key), "verify_incoming": true,
		}},
		"acl": map[string]any{"enabled": true, "default_policy": "deny", "tokens": map[string]any{"initial_management": manager, "agent": manager}},
	}})
	own := api.TLSConfig{CAPem: ca.pem}
	own.CertPEM, own.KeyPEM = ca.issue(3)
	client := func(tls api.TLSConfig) *api.Client {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		return newClient(t, &api.Config{
			Address: fmt.Sprintf("127.0.0.1:%d", port), Scheme: "https", Token: manager, Transport: transport, TLSConfig: tls,
		})
	}
	r, err := consul.Register(t.Context(), client(own), consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	must(t, err)
	follow(t, consul.Discovery(client(own)), reviews).await("the service", healths("127.0.0.1:1001 healthy"))
	publish(t, client(own), split(90))
	if set := <-subscribe(t, consul.Rules(client(own), "inmesh")).sets; len(set.VirtualServices) != 1 {
		t.Errorf("the rules are %v", set.VirtualServices)
	}
	heard(t, consul.Intentions(client(own), "reviews"))
	follow(t, consul.Discovery(client(api.TLSConfig{CAPem: ca.pem})), reviews).awaitError("certificate required")
	follow(t, consul.Discovery(client(api.TLSConfig{CAPem: newAuthority(t).pem})), reviews).awaitError("failed to verify certificate")
	must(t, r.Close())
}
