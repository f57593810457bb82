package tlsid_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

// spellings are the ways in which the bytes of a key may show in a text: as
// they are, as hexadecimal, base64, decimal number, or slice of bytes.
func spellings(t testing.TB, key any) (all []string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{der}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, raw)
		//lint:ignore SA1019 this is how the number would be printed
		all = append(all, key.D.String())
	case ed25519.PrivateKey:
		secrets = append(secrets, key.Seed())
	}
	for _, s := range secrets {
		slice := strings.Trim(fmt.Sprint(s[:12]), "[]")
		all = append(all, string(s), hex.EncodeToString(s), base64.StdEncoding.EncodeToString(s)[:40], slice,
			strings.ReplaceAll(slice, " ", ", "), strings.Trim(fmt.Sprintf("%#v", s[:12]), "[]byte{}"))
	}
	for line := range strings.Lines(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))) {
		if !strings.HasPrefix(line, "-----") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// texts are the ways in which people format values.
func texts(t testing.TB, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("value", "v", v)
	}
	if err := json.NewEncoder(&out).Encode(v); err != nil {
		out.WriteString(err.Error())
	}
	return out.Bytes()
}

func TestSpellingsAreFoundWhereTheyStand(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct{ key ed25519.PrivateKey }
	for name, shown := range map[string]any{"alone": edwards, "in a field": hidden{edwards}} {
		if !shows(texts(t, shown), spellings(t, edwards)) {
			t.Errorf("a key %s is not seen", name)
		}
	}
	plain := newKey(t)
	if !shows(keyPEM(t, tls.Certificate{PrivateKey: plain}), spellings(t, plain)) {
		t.Error("a key in a file is not seen")
	}
	if !shows(texts(t, *plain), spellings(t, plain)) {
		t.Error("the number of a key is not seen")
	}
}

func shows(text []byte, spellings []string) bool {
	for _, s := range spellings {
		if bytes.Contains(text, []byte(s)) {
			return true
		}
	}
	return false
}

// TestNoValueShowsAKey formats all that holds keys, alone and in the fields of
// others, where fmt cannot call methods.
func TestNoValueShowsAKey(t *testing.T) {
	root := newAuthority(t, "root")
	for name, key := range map[string]tls.Certificate{"ECDSA": root.leaf(t, nil, peerID), "Ed25519": edwards(t, root)} {
		c := credential(t, key, trusting(domain(t, "td"), root))
		own := holding(c)
		type public struct{ Credential tlsid.Credential }
		type private struct{ credential tlsid.Credential }
		type deep struct {
			c []private
			m map[string]*tlsid.Current
		}
		for _, v := range []any{
			c, &c, []tlsid.Credential{c}, public{c}, &public{c}, private{c}, &private{c}, deep{[]private{{c}}, map[string]*tlsid.Current{"a": own}},
			own, tlsid.Static(c), c.Bundles(), c.ID(),
			tlsid.ClientConfig(own, tlsid.Expect{}), tlsid.ServerConfig(own, tlsid.Accept{}),
		} {
			if shows(texts(t, v), spellings(t, key.PrivateKey)) {
				t.Errorf("%s: a %T shows the key", name, v)
			}
		}
	}
}

func edwards(t testing.TB, a authority) tls.Certificate {
	t.Helper()
	pair := a.leaf(t, nil, peerID)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := create(t, pair.Leaf, a.certificate, public, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: private}
}

func TestNoCAShowsAKey(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, tlsid.CAConfig{Dir: dir})
	root := rootKey(t, dir)
	c := first(t, ca.Workload("a"))
	for _, v := range []any{ca, ca.Workload("a"), []tlsid.Source{ca.Workload("a")}, c} {
		if shows(texts(t, v), append(spellings(t, root), spellings(t, c.Certificate().PrivateKey)...)) {
			t.Errorf("a %T shows a key", v)
		}
	}
}

func rootKey(t testing.TB, dir string) any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "root-1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "PRIVATE KEY" {
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
	}
	t.Fatal("there is no key in the root's file")
	return nil
}

// TestNoErrorOfACAShowsAKey spoils the root's file at each of its lines, so that
// the key is still in it but something does not fit.
func TestNoErrorOfACAShowsAKey(t *testing.T) {
	dir := t.TempDir()
	newCA(t, tlsid.CAConfig{Dir: dir})
	path := filepath.Join(dir, "root-1.pem")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secrets := spellings(t, rootKey(t, dir))
	lines := strings.SplitAfter(string(whole), "\n")
	errs := 0
	for i := range lines {
		for _, instead := range []string{"", "x\n", "QUFB\n", lines[len(lines)/2], strings.ToLower(lines[i])} {
			spoilt := strings.Join(lines[:i], "") + instead + strings.Join(lines[i+1:], "")
			if err := os.WriteFile(path, []byte(spoilt), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir}); err != nil {
				errs++
				noKey(t, err, secrets)
			}
		}
	}
	if errs < len(lines) {
		t.Errorf("only %d errors in %d lines", errs, len(lines))
	}
}

// TestNoErrorOfFilesShowsAKey does the same with each file, the key in each.
func TestNoErrorOfFilesShowsAKey(t *testing.T) {
	s, root := secret{t, t.TempDir()}, newAuthority(t, "root")
	pair := root.leaf(t, nil, peerID)
	secrets := spellings(t, pair.PrivateKey)
	key := string(keyPEM(t, pair))
	all := string(certificatePEM(pair.Certificate...)) + key + string(certificatePEM(root.certificate.Raw))
	variants := []string{"", key, all, key[:len(key)/2], key[30:], strings.ReplaceAll(key, "PRIVATE", "ENCRYPTED PRIVATE"),
		strings.ReplaceAll(key, "PRIVATE KEY", "CERTIFICATE"), strings.ReplaceAll(key, "PRIVATE KEY", "RSA PRIVATE KEY"),
		strings.ReplaceAll(key, "PRIVATE KEY", "EC PRIVATE KEY"), strings.ReplaceAll(key, "\n", ""), string(keyPEM(t, root.leaf(t, nil, peerID)))}
	errs := 0
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		for _, text := range variants {
			s.write("tls.crt", certificatePEM(pair.Certificate...))
			s.write("tls.key", []byte(key))
			s.write("ca.crt", certificatePEM(root.certificate.Raw))
			s.write(name, []byte(text))
			for _, err := range s.files().Watch(t.Context()) {
				if err != nil {
					errs++
					noKey(t, err, secrets)
				}
				break
			}
		}
	}
	if errs < 2*len(variants) {
		t.Errorf("only %d errors", errs)
	}
}

func noKey(t testing.TB, err error, secrets []string) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if shows(texts(t, err), secrets) {
			t.Errorf("an error shows the key: %T", err)
		}
	}
}
