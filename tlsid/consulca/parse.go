package consulca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A leaf is a certificate chain with its key, which stays behind the function:
// nothing that formats a leaf shows it.
type leaf struct {
	serial string // tells one leaf from another
	chain  func() tls.Certificate
}

// parseLeaf never says what it could not read: it may be the key.
func parseLeaf(answer *api.LeafCert) (*leaf, error) {
	pair, err := tls.X509KeyPair([]byte(answer.CertPEM), []byte(answer.PrivateKeyPEM))
	if err != nil {
		return nil, errors.New("the agent's answer is no certificate with its key")
	}
	return &leaf{answer.SerialNumber, func() tls.Certificate { return pair }}, nil
}

// roots are those of the cluster's trust domain.
type roots struct {
	bundles tlsid.Bundles
	pool    *x509.CertPool
}

func parseRoots(answer *api.CARootList) (*roots, error) {
	domain, err := tlsid.ParseTrustDomain(answer.TrustDomain)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	pool := x509.NewCertPool()
	for _, root := range answer.Roots {
		certificates, err := certificates(root.RootCertPEM)
		if err != nil {
			return nil, fmt.Errorf("root %s: %w", root.ID, err)
		}
		for _, c := range certificates {
			pool.AddCert(c)
		}
		all = append(all, certificates...)
	}
	return &roots{tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{domain: all}), pool}, nil
}

// certificates reads PEM. Vault puts several into one root.
func certificates(text string) (all []*x509.Certificate, _ error) {
	rest := bytes.TrimSpace([]byte(text))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("want certificates in PEM")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, c), bytes.TrimSpace(rest)
	}
	return all, nil
}

// credential puts a leaf and roots together. The roots must vouch for the leaf:
// whoever presents one that peers cannot verify is worse off than with the one
// before.
func credential(l *leaf, r *roots, now time.Time) (tlsid.Credential, error) {
	chain := l.chain()
	c, err := tlsid.NewCredential(chain, r.bundles)
	if err != nil {
		return tlsid.Credential{}, err
	}
	if err := r.vouch(c, now); err != nil {
		return tlsid.Credential{}, fmt.Errorf("leaf %s of %s: %w", l.serial, c.ID(), err)
	}
	return c, nil
}

// vouch verifies the chain as of the time in its validity that is nearest to now:
// whether it is in time is another question.
func (r *roots) vouch(c tlsid.Credential, now time.Time) error {
	between := x509.NewCertPool()
	chain := c.Certificate()
	for _, der := range chain.Certificate[1:] {
		if issuer, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(issuer)
		}
	}
	if now.Before(c.NotBefore()) {
		now = c.NotBefore()
	}
	if now.After(c.NotAfter()) {
		now = c.NotAfter()
	}
	_, err := chain.Leaf.Verify(x509.VerifyOptions{
		Roots: r.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}
