package clienttls_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
	"github.com/inmesh-go/inmesh/tlsid"
)

func mustCA(t *testing.T, domain string) *tlsid.CA {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{TrustDomain: mustDomain(t, domain)})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func mustDomain(t *testing.T, name string) tlsid.TrustDomain {
	t.Helper()
	d, err := tlsid.ParseTrustDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// current is a credential of an identity, in force.
func current(t *testing.T, ca *tlsid.CA, id string) *tlsid.Current {
	t.Helper()
	parsed, err := tlsid.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue(parsed)
	if err != nil {
		t.Fatal(err)
	}
	own := new(tlsid.Current)
	own.Store(c)
	return own
}

func TestWhoIsExpectedByIdentity(t *testing.T) {
	near, far := mustCA(t, "near"), mustCA(t, "far")
	own := current(t, near, "spiffe://near/ns/a/sa/me")
	server := tlsid.ServerConfig(current(t, near, "spiffe://near/ns/a/sa/b"), tlsid.Accept{})
	for _, c := range []struct {
		name   string
		expect clienttls.Expect
		server *tls.Config
		want   error
	}{
		{"the identity", clienttls.Expect{ID: "spiffe://near/ns/a/sa/b"}, server, nil},
		{"another identity", clienttls.Expect{ID: "spiffe://near/ns/a/sa/c"}, server, tlsid.ErrUnexpected},
		{"the identity, whatever the names", clienttls.Expect{ID: "spiffe://near/ns/a/sa/b", SANs: []string{"x"}}, server, nil},
		{"by an alias", clienttls.Expect{ID: "spiffe://alias/ns/a/sa/b", Aliases: []tlsid.TrustDomain{mustDomain(t, "alias")}}, server, nil},
		{"anybody", clienttls.Expect{}, server, nil},
		{"a name", clienttls.Expect{SANs: []string{"x", "spiffe://near/ns/a/sa/b"}}, server, nil},
		{"another name", clienttls.Expect{SANs: []string{"spiffe://near/ns/a/sa/c"}}, server, clienttls.ErrName},
		{"a stranger", clienttls.Expect{}, tlsid.ServerConfig(current(t, far, "spiffe://far/ns/a/sa/b"), tlsid.Accept{}), tlsid.ErrUntrusted},
		{"a stranger by his name", clienttls.Expect{SANs: []string{"spiffe://far/ns/a/sa/b"}}, tlsid.ServerConfig(current(t, far, "spiffe://far/ns/a/sa/b"), tlsid.Accept{}), tlsid.ErrUntrusted},
	} {
		config, err := clienttls.ByIdentity(own, c.expect)
		_, err, _ = shake(t, mustHave(t, config, err), c.server)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAnImpossibleIdentityIsAnError(t *testing.T) {
	_, err := clienttls.ByIdentity(new(tlsid.Current), clienttls.Expect{ID: "spiffe://near/ns/a/sa/b c"})
	if err == nil || !strings.Contains(err.Error(), "cannot prove its identity") {
		t.Errorf("got %v", err)
	}
}

func TestAProtocolIsAgreedOn(t *testing.T) {
	if err := clienttls.CheckProtocol(tls.ConnectionState{NegotiatedProtocol: "h2"}, "h2"); err != nil {
		t.Error(err)
	}
	if err := clienttls.CheckProtocol(tls.ConnectionState{}, "h2"); !errors.Is(err, clienttls.ErrNoProtocol) {
		t.Errorf("got %v", err)
	}
}
