package clienttls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrName: the server has none of the names that it must have.
var ErrName = errors.New("the server has none of the names that are expected")

// A verifier decides about one server.
type verifier struct {
	roots      *x509.CertPool // nil: the system's
	name       string
	sans       []string // instead of name
	lists      revocations
	checkLists bool
}

// verify is a VerifyConnection.
func (v *verifier) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has shown no certificate")
	}
	now, leaf := time.Now(), state.PeerCertificates[0]
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         v.roots,
		Intermediates: poolOf(state.PeerCertificates[1:]),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	if err := v.checkName(leaf); err != nil {
		return err
	}
	if v.checkLists {
		return v.lists.checkAny(chains, now)
	}
	return nil
}

func poolOf(certificates []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool
}

func (v *verifier) checkName(leaf *x509.Certificate) error {
	if len(v.sans) == 0 {
		return leaf.VerifyHostname(v.name)
	}
	return checkSANs(leaf, v.sans)
}

// checkSANs reports whether the certificate has one of the names.
func checkSANs(leaf *x509.Certificate, want []string) error {
	if slices.ContainsFunc(want, func(san string) bool { return proves(leaf, san) }) {
		return nil
	}
	return fmt.Errorf("%w: want one of %q, it has %q", ErrName, want, namesOf(leaf))
}

// proves: a URI or an address of mail word for word; the name of a host, or an
// IP address, as hosts are verified: that is Envoy's notion of an exact name, too.
// What a name looks like says where in the certificate it stands: an authority
// that lets workloads choose the names of hosts does not vouch for them as URIs.
func proves(leaf *x509.Certificate, san string) bool {
	switch {
	case net.ParseIP(san) != nil:
	case strings.Contains(san, ":"):
		return slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return u.String() == san })
	case strings.Contains(san, "@"):
		return slices.Contains(leaf.EmailAddresses, san)
	}
	return leaf.VerifyHostname(san) == nil
}
