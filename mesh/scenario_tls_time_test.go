package mesh_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A server that nobody renews is refused once it has expired; a client that is
// renewed goes on.
func TestAnExpiredServerIsRefused(t *testing.T) {
	guarded(t, []string{unretried("reviews")}, func(s *scene) {
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
		s.want(s.get("http://reviews/"), "200")
		s.pass(2 * time.Hour)
		a := s.get("http://reviews/")
		s.want(a, mesh.ErrConnect.Error())
		var invalid x509.CertificateInvalidError
		if !errors.Is(a.err, tlsid.ErrUntrusted) || !errors.As(a.err, &invalid) || invalid.Reason != x509.Expired {
			t.Errorf("%v does not say that it has expired", a.err)
		}
		s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		s.want(s.get("http://reviews/"), "200")
		s.client.CloseIdleConnections()
	})
}

// The files of a client are renewed one by one, while it connects. It shows what
// belongs together, the old pair or the new.
func TestACertificateIsRenewedFileByFile(t *testing.T) {
	play(t, nil, func(s *scene) {
		a := newAuthority(s.T)
		chain, key, root := pemOf(s.T, a, a.issue(s.T, "old"))
		newChain, newKey, _ := pemOf(s.T, a, a.issue(s.T, "new"))
		server := s.sentry("10.9.0.1:80", &tls.Config{
			Certificates: []tls.Certificate{a.issue(s.T, "reviews")}, ClientAuth: tls.RequireAnyClientCert,
		})
		s.rule(unretried("reviews"), policy("reviews", "{tls: {mode: MUTUAL, clientCertificate: "+chain+", privateKey: "+key+", caCertificates: "+root+"}}"))
		s.endpoints("reviews", server.address)
		for _, step := range []struct{ from, to, shown string }{
			{"", "", "old"}, {newChain, chain, "old"}, {newKey, key, "new"},
		} {
			if step.from != "" {
				move(s.T, step.from, step.to)
			}
			s.want(s.get("http://reviews/"), "200")
			if got := server.last(); got != step.shown {
				t.Errorf("after %s: shown %s, want %s", step.to, got, step.shown)
			}
			s.client.CloseIdleConnections()
			synctest.Wait()
		}
		if err := os.Remove(root); err != nil {
			t.Fatal(err)
		}
		s.want(s.get("http://reviews/"), "200") // by what was read before
		s.client.CloseIdleConnections()
	})
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// What is wrong with the files of TLS is said without a word of what is in them.
func TestNoErrorShowsAKey(t *testing.T) {
	play(t, nil, func(s *scene) {
		a := newAuthority(s.T)
		chain, key, _ := pemOf(s.T, a, a.issue(s.T, "me"))
		_, other, _ := pemOf(s.T, a, a.issue(s.T, "other"))
		text, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		secret := strings.Split(string(pem.EncodeToMemory(block)), "\n")[1]
		s.sentry("10.9.0.1:80", nil)
		s.endpoints("reviews", "10.9.0.1:80")
		for _, files := range []string{
			"clientCertificate: " + key + ", privateKey: " + chain, // the wrong way round
			"clientCertificate: " + chain + ", privateKey: " + other,
			"clientCertificate: " + chain + ", privateKey: " + key + ", caCertificates: " + key,
			"clientCertificate: " + chain + ", privateKey: " + key + ", caCrl: " + key,
		} {
			s.rule(unretried("reviews"), policy("reviews", "{tls: {mode: MUTUAL, "+files+"}}"))
			a := s.get("http://reviews/")
			s.want(a, mesh.ErrConnect.Error())
			if text := a.err.Error(); strings.Contains(text, secret) || strings.Contains(text, "PRIVATE KEY-----") {
				t.Errorf("%s: the error shows the key: %s", files, text)
			}
		}
		s.client.CloseIdleConnections()
	})
}
