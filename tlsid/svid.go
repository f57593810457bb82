package tlsid

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// PeerOf returns the identity of the peer of a connection that was made under
// ClientConfig or ServerConfig, which have verified it. Of another connection it
// says only what the peer claims to be. A peer without an identity is a
// *PeerError.
func PeerOf(state tls.ConnectionState) (ID, error) {
	if len(state.PeerCertificates) == 0 {
		return ID{}, &PeerError{Reason: ErrNotSVID, Cause: errors.New("there is no certificate")}
	}
	id, err := identify(state.PeerCertificates[0])
	if err != nil {
		return ID{}, &PeerError{id, ErrNotSVID, err}
	}
	return id, nil
}

// identify returns the ID in a leaf that keeps all rules of X509-SVID that can
// be told from the leaf alone.
func identify(leaf *x509.Certificate) (ID, error) {
	// §2: "An X.509 SVID MUST contain exactly one URI SAN, and by extension,
	// exactly one SPIFFE ID."
	if n := len(leaf.URIs); n != 1 {
		return ID{}, fmt.Errorf("the leaf has %d URI names, not one", n)
	}
	id, err := ParseID(leaf.URIs[0].String())
	if err != nil {
		return ID{}, err
	}
	return id, checkLeaf(id, leaf)
}

func checkLeaf(id ID, leaf *x509.Certificate) error {
	switch {
	// §5.2: "the validator MUST ensure that the CA field in the basic constraints
	// extension is set to false, and that keyCertSign and cRLSign are not set in
	// the key usage extension."
	case leaf.IsCA:
		return errors.New("the leaf is a CA")
	case leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return errors.New("the leaf may sign certificates or revocation lists")
	// §4.3: "Leaf SVIDs MUST set digitalSignature." Certificates without any key
	// usage are let through, as go-spiffe does: nothing is claimed by them.
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("the leaf may not sign a handshake: key usage without digitalSignature")
	// §3.1: "Leaf certificate SPIFFE IDs MUST have a non-root path component."
	case id.path == "":
		return errors.New("the leaf names a trust domain, not a workload: its ID has no path")
	}
	return nil
}
