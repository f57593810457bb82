package clienttls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// parseRoots takes all certificates of a file; each must be one.
func parseRoots(texts [][]byte) (*x509.CertPool, error) {
	found, err := blocks(texts[0], "CERTIFICATE")
	if err != nil {
		return nil, &partError{0, err}
	}
	pool := x509.NewCertPool()
	for i, block := range found {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &partError{0, fmt.Errorf("certificate %d: %w", i+1, err)}
		}
		pool.AddCert(c)
	}
	if len(found) == 0 {
		return nil, &partError{0, errors.New("there is no certificate in it")}
	}
	return pool, nil
}

// parsePair takes a chain and its key; both were read at almost the same time,
// and one may have been replaced in between.
func parsePair(texts [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, err // of which file, crypto/tls says; of the key, that it is none
	}
	return &pair, nil
}

// blocks are the PEM blocks of a type; what stands between them is for people. It
// refuses a text with blocks that pem.Decode passes over, for they are damaged or cut
// off: roots would be missing, or revocations.
func blocks(text []byte, kind string) (out []*pem.Block, _ error) {
	begun, read := bytes.Count(text, []byte("-----BEGIN ")), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		read++
		if block.Type == kind {
			out = append(out, block)
		}
	}
	if read < begun {
		return nil, fmt.Errorf("%d PEM blocks begin in it, and %d can be read: it is damaged, or not written to its end", begun, read)
	}
	return out, nil
}
