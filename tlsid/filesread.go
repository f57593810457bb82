package tlsid

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// maxPEMBytes is more than any chain, key or set of roots takes.
const maxPEMBytes = 4 << 20

// A contentSum tells the contents of files apart. The zero one is of none.
type contentSum [sha256.Size]byte

// contents are the files as they were read once; text or err of each path.
type contents struct {
	text map[string][]byte
	err  error
	sum  contentSum
}

func (f Files) paths() []string {
	paths := []string{f.Certificate, f.Key, f.Roots}
	paths = slices.AppendSeq(paths, maps.Values(f.OtherRoots))
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (f Files) read() contents {
	found := contents{text: map[string][]byte{}}
	hash := sha256.New()
	for _, path := range f.paths() {
		text, err := readPEM(path)
		if err != nil {
			found.err = errors.Join(found.err, err)
		}
		found.text[path] = text
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		hash.Write(text)
	}
	found.sum = contentSum(hash.Sum(nil))
	return found
}

func readPEM(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("a path is empty: Certificate, Key and Roots are required")
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a regular file", path) // to open a pipe may take for ever
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPEMBytes+1))
	if err == nil && len(text) > maxPEMBytes {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxPEMBytes)
	}
	return text, err
}

// credential is what the files say, if they fit together and are in force now.
func (c contents) credential(f Files, now time.Time) (Credential, error) {
	if c.err != nil {
		return Credential{}, c.err
	}
	pair, err := c.keyPair(f)
	if err != nil {
		return Credential{}, err
	}
	credential, err := NewCredential(pair, Bundles{})
	if err != nil {
		return Credential{}, fmt.Errorf("%s: %w", f.Certificate, err)
	}
	bundles, err := c.bundles(f, credential.ID().domain)
	if err != nil {
		return Credential{}, err
	}
	credential = credential.With(bundles)
	if err := credential.usable(now); err != nil {
		return Credential{}, fmt.Errorf("%s with the roots in %s: %w", f.Certificate, f.Roots, err)
	}
	return credential, nil
}

func (c contents) keyPair(f Files) (tls.Certificate, error) {
	if _, err := parseCertificates(f.Certificate, c.text[f.Certificate]); err != nil {
		return tls.Certificate{}, err
	}
	if err := findKey(f.Key, c.text[f.Key]); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(c.text[f.Certificate], c.text[f.Key])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s and key %s: %w", f.Certificate, f.Key, err)
	}
	return pair, nil
}

func (c contents) bundles(f Files, own TrustDomain) (Bundles, error) {
	paths := maps.Clone(f.OtherRoots)
	if paths == nil {
		paths = map[TrustDomain]string{}
	}
	if other, ok := paths[own]; ok {
		return Bundles{}, fmt.Errorf("%s: OtherRoots has the own trust domain %s, whose roots are in %s", other, own, f.Roots)
	}
	paths[own] = f.Roots
	roots := map[TrustDomain][]*x509.Certificate{}
	for domain, path := range paths {
		certificates, err := parseRoots(path, c.text[path])
		if err != nil {
			return Bundles{}, err
		}
		roots[domain] = certificates
	}
	return NewBundles(roots), nil
}

// parseRoots is stricter than parseCertificates: a file of roots that has
// something else in it is another file than was meant.
func parseRoots(path string, text []byte) ([]*x509.Certificate, error) {
	for block := range blocks(text) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: a PEM block is %s, where roots are CERTIFICATE", path, quote(block.Type))
		}
	}
	certificates, err := parseCertificates(path, text)
	for i, c := range certificates {
		if !c.IsCA {
			return nil, fmt.Errorf("%s: certificate %d is not of a CA, so it is no root", path, i+1)
		}
	}
	return certificates, err
}

func parseCertificates(path string, text []byte) ([]*x509.Certificate, error) {
	if err := whole(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var parsed []*x509.Certificate
	for block := range blocks(text) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(parsed)+1, err)
		}
		parsed = append(parsed, c)
	}
	if len(parsed) == 0 {
		return nil, fmt.Errorf("%s: there is no PEM block CERTIFICATE in it", path)
	}
	return parsed, nil
}

// whole refuses what pem.Decode passes over: roots would be missing, or the leaf.
func whole(text []byte) error {
	begun, read := bytes.Count(text, []byte("-----BEGIN ")), 0
	for range blocks(text) {
		read++
	}
	if read < begun {
		return fmt.Errorf("%d PEM blocks begin in it, and %d can be read: it is damaged, or not written to its end", begun, read)
	}
	return nil
}

// findKey says what crypto/tls says less clearly of files without a usable key.
func findKey(path string, text []byte) error {
	for block := range blocks(text) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return fmt.Errorf("%s: the private key is encrypted; it must stand there in the clear", path)
		}
		return nil
	}
	return fmt.Errorf("%s: there is no PEM block PRIVATE KEY in it", path)
}

// blocks yields the PEM blocks of a text. What stands between them is comment.
func blocks(text []byte) iter.Seq[*pem.Block] {
	return func(yield func(*pem.Block) bool) {
		for {
			block, rest := pem.Decode(text)
			if block == nil || !yield(block) {
				return
			}
			text = rest
		}
	}
}
