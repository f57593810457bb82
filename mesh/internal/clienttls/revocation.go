package clienttls

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrRevoked: a certificate of the server's chain has been revoked.
var ErrRevoked = errors.New("revoked")

// revocations are the lists of one file.
type revocations []*revocation

type revocation struct {
	list    *x509.RevocationList
	serials map[string]bool
}

func parseRevocations(texts [][]byte) (revocations, error) {
	found, err := blocks(texts[0], "X509 CRL")
	if err != nil {
		return nil, &partError{0, err}
	}
	var out revocations
	for i, block := range found {
		r, err := parseRevocation(block.Bytes)
		if err != nil {
			return nil, &partError{0, fmt.Errorf("list %d: %w", i+1, err)}
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, &partError{0, errors.New("there is no X509 CRL in it")}
	}
	return out, nil
}

func parseRevocation(der []byte) (*revocation, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	// RFC 5280 §5.2: "If a CRL contains a critical extension that the application
	// cannot process, then the application MUST NOT use that CRL to determine the
	// status of certificates." There is none that this one can; §5.3 says the same
	// of entries.
	r := &revocation{list, make(map[string]bool, len(list.RevokedCertificateEntries))}
	for _, e := range list.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("its critical extension %s is not known", e.Id)
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical {
				return nil, fmt.Errorf("of serial %x: its critical extension %s is not known", entry.SerialNumber, e.Id)
			}
		}
		r.serials[string(entry.SerialNumber.Bytes())] = true
	}
	return r, nil
}

// checkAny accepts a server if one of its chains has nothing revoked in it.
func (rs revocations) checkAny(chains [][]*x509.Certificate, now time.Time) error {
	var first error
	for _, chain := range chains {
		err := rs.check(chain, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// check: Envoy's reference says (CertificateValidationContext, crl) "if a CRL is
// provided for any certificate authority in a trust chain, a CRL must be provided
// for all certificate authorities in that chain. Failure to do so will result in
// verification failure for both revoked and unrevoked certificates from that
// chain." The root, too, must not have revoked itself.
func (rs revocations) check(chain []*x509.Certificate, now time.Time) error {
	for i, c := range chain {
		issuer := chain[min(i+1, len(chain)-1)]
		if err := rs.checkOne(c, issuer, now); err != nil {
			return fmt.Errorf("certificate %s, serial %x: %w", name(c), c.SerialNumber, err)
		}
	}
	return nil
}

func (rs revocations) checkOne(c, issuer *x509.Certificate, now time.Time) error {
	err := fmt.Errorf("there is no revocation list of its issuer, %s", c.Issuer)
	known := false
	for _, r := range rs {
		if !bytes.Equal(r.list.RawIssuer, c.RawIssuer) {
			continue
		}
		if fault := r.usable(issuer, now); fault != nil {
			err = fmt.Errorf("revocation list of %s: %w", c.Issuer, fault)
			continue
		}
		if r.serials[string(c.SerialNumber.Bytes())] {
			return ErrRevoked
		}
		known = true
	}
	if known {
		return nil
	}
	return err
}

// usable: a list that is out of time says nothing, as in Envoy, which refuses
// then.
func (r *revocation) usable(issuer *x509.Certificate, now time.Time) error {
	if err := r.list.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	switch from, to := r.list.ThisUpdate, r.list.NextUpdate; {
	case now.Before(from):
		return fmt.Errorf("it is not in force before %s", from.Format(time.RFC3339))
	case !to.IsZero() && now.After(to):
		return fmt.Errorf("it has expired at %s", to.Format(time.RFC3339))
	}
	return nil
}

// name is how a certificate is called in an error.
func name(c *x509.Certificate) string {
	if names := namesOf(c); len(names) > 0 {
		return fmt.Sprintf("%q", names[0])
	}
	return fmt.Sprintf("%q", c.Subject)
}

// namesOf are the subject alternative names of a certificate.
func namesOf(c *x509.Certificate) []string {
	names := slices.Concat(c.DNSNames, c.EmailAddresses)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
