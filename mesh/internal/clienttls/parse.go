package clienttls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// parseRoots takes all certificates of a file; each must be one.
func parseRoots(texts [][]byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for _, block := range blocks(texts[0], "CERTIFICATE") {
		n++
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &partError{0, fmt.Errorf("certificate %d: %w", n, err)}
		}
		pool.AddCert(c)
	}
	if n == 0 {
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

// blocks are the PEM blocks of a type; what stands between them is for people.
func blocks(text []byte, kind string) (out []*pem.Block) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return out
		}
		if block.Type == kind {
			out = append(out, block)
		}
	}
}
