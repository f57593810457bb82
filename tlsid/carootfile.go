package tlsid

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// The PEM blocks of a root's file. The first holds no bytes, only headers: what
// the processes that share the root must agree upon.
const (
	blockTerms       = "INMESH ROOT"
	blockCertificate = "CERTIFICATE"
	blockKey         = "PRIVATE KEY"

	headerSignsFrom    = "Signs-From"
	headerLeafLifetime = "Leaf-Lifetime"
	headerAnnounce     = "Announce"
)

func (r *root) encode(c CAConfig) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, block := range []*pem.Block{
		{Type: blockTerms, Headers: map[string]string{
			headerSignsFrom:    r.signsFrom.UTC().Format(time.RFC3339Nano),
			headerLeafLifetime: c.LeafLifetime.String(),
			headerAnnounce:     c.Announce.String(),
		}},
		{Type: blockCertificate, Bytes: r.certificate.Raw},
		{Type: blockKey, Bytes: key},
	} {
		text = append(text, pem.EncodeToMemory(block)...)
	}
	return text, nil
}

func decodeRoot(number int, text []byte, c CAConfig) (*root, error) {
	r := &root{number: number}
	found := map[string]*pem.Block{}
	for block := range blocks(text) {
		found[block.Type] = block
	}
	for _, part := range []struct {
		block string
		take  func(*pem.Block) error
	}{
		{blockTerms, func(b *pem.Block) error { return r.takeTerms(b.Headers, c) }},
		{blockCertificate, func(b *pem.Block) error { return r.takeCertificate(b.Bytes, c) }},
		{blockKey, func(b *pem.Block) error { return r.takeKey(b.Bytes) }},
	} {
		if found[part.block] == nil {
			return nil, fmt.Errorf("there is no PEM block %s in it", part.block)
		}
		if err := part.take(found[part.block]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// takeTerms refuses terms that differ: a process that thinks leaves live shorter
// than they do would stop trusting a root too early.
func (r *root) takeTerms(headers map[string]string, c CAConfig) (err error) {
	if r.signsFrom, err = time.Parse(time.RFC3339Nano, headers[headerSignsFrom]); err != nil {
		return fmt.Errorf("%s: %w", headerSignsFrom, err)
	}
	for header, own := range map[string]time.Duration{headerLeafLifetime: c.LeafLifetime, headerAnnounce: c.Announce} {
		theirs, err := time.ParseDuration(headers[header])
		if err != nil {
			return fmt.Errorf("%s: %w", header, err)
		}
		if theirs != own {
			return fmt.Errorf("its %s is %s, this process has %s; all that share the directory must agree", header, theirs, own)
		}
	}
	return nil
}

func (r *root) takeCertificate(der []byte, c CAConfig) (err error) {
	if r.certificate, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	uris := r.certificate.URIs
	if !r.certificate.IsCA || len(uris) != 1 {
		return errors.New("certificate: it is not of the root of a trust domain")
	}
	if of := uris[0].String(); of != scheme+c.TrustDomain.name {
		return fmt.Errorf("certificate: it is of %s, this process has trust domain %s", quote(of), c.TrustDomain)
	}
	return nil
}

func (r *root) takeKey(der []byte) error {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return errors.New("private key: it is not PKCS #8")
	}
	var ok bool
	if r.key, ok = key.(*ecdsa.PrivateKey); !ok {
		return errors.New("private key: it is not of an elliptic curve")
	}
	if err := checkKey(r.key, r.certificate); err != nil {
		return err
	}
	return nil
}
