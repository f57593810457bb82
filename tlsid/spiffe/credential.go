package spiffe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/inmesh-go/inmesh/tlsid"
)

// credential makes one of what an agent has said. The bundles must vouch for it;
// whether it is valid now is for others to ask.
func credential(svid *x509svid.SVID, set *x509bundle.Set, now time.Time) (tlsid.Credential, error) {
	if _, _, err := x509svid.Verify(svid.Certificates, set, x509svid.WithTime(within(svid, now))); err != nil {
		return tlsid.Credential{}, err
	}
	bundles, err := convert(set)
	if err != nil {
		return tlsid.Credential{}, err
	}
	return tlsid.NewCredential(certificate(svid), bundles)
}

// within is the time of the leaf's validity that is nearest to now.
func within(svid *x509svid.SVID, now time.Time) time.Time {
	leaf := svid.Certificates[0]
	switch {
	case now.Before(leaf.NotBefore):
		return leaf.NotBefore
	case now.After(leaf.NotAfter):
		return leaf.NotAfter
	}
	return now
}

func certificate(svid *x509svid.SVID) tls.Certificate {
	certificate := tls.Certificate{PrivateKey: svid.PrivateKey}
	for _, c := range svid.Certificates {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return certificate
}

// convert takes bundles of all trust domains: an empty one is of a trust domain
// that is known, and trusted by nobody.
func convert(set *x509bundle.Set) (tlsid.Bundles, error) {
	roots := map[tlsid.TrustDomain][]*x509.Certificate{}
	for _, bundle := range set.Bundles() {
		domain, err := tlsid.ParseTrustDomain(bundle.TrustDomain().Name())
		if err != nil {
			return tlsid.Bundles{}, err
		}
		roots[domain] = bundle.X509Authorities()
	}
	return tlsid.NewBundles(roots), nil
}

// A choice says which of several identities to take.
type choice struct {
	id   tlsid.ID // zero: any
	hint string   // empty: any
}

func (c choice) credential(update *workloadapi.X509Context, now time.Time) (tlsid.Credential, error) {
	svid, err := c.pick(update.SVIDs)
	if err != nil {
		return tlsid.Credential{}, err
	}
	return credential(svid, update.Bundles, now)
}

// pick takes the first that fits.
//
// "The default identity is the first in the svids list returned in the
// X509SVIDResponse message."
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md#53-default-identity
func (c choice) pick(svids []*x509svid.SVID) (*x509svid.SVID, error) {
	for _, svid := range svids {
		if c.fits(svid) {
			return svid, nil
		}
	}
	return nil, fmt.Errorf("no %s among the agent's %s", c, describe(svids))
}

func (c choice) fits(svid *x509svid.SVID) bool {
	return (c.id.IsZero() || c.id.String() == svid.ID.String()) && (c.hint == "" || c.hint == svid.Hint)
}

func (c choice) String() string {
	switch {
	case c.id.IsZero():
		return fmt.Sprintf("identity with hint %q", c.hint)
	case c.hint == "":
		return fmt.Sprintf("identity %s", c.id)
	}
	return fmt.Sprintf("identity %s with hint %q", c.id, c.hint)
}

func describe(svids []*x509svid.SVID) string {
	var texts []string
	for _, svid := range svids {
		texts = append(texts, fmt.Sprintf("%s (hint %q)", svid.ID, svid.Hint))
	}
	return strings.Join(texts, ", ")
}
