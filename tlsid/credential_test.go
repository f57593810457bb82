package tlsid_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

func TestCredentialsAreValidInForm(t *testing.T) {
	root := newAuthority(t, "root")
	good := root.leaf(t, nil, peerID)
	other := root.leaf(t, nil, peerID)
	for says, pair := range map[string]tls.Certificate{
		"the chain has no certificate": {PrivateKey: good.PrivateKey},
		"certificate 2 of the chain":   {Certificate: [][]byte{good.Certificate[0], {1}}, PrivateKey: good.PrivateKey},
		"no private key":               {Certificate: good.Certificate},
		"no private key that can sign": {Certificate: good.Certificate, PrivateKey: "key"},
		"does not belong":              {Certificate: good.Certificate, PrivateKey: other.PrivateKey},
		"0 URI names":                  root.leaf(t, nil),
		"is a CA":                      root.leaf(t, func(c *x509.Certificate) { c.IsCA = true }, peerID),
		"no path":                      root.leaf(t, nil, "spiffe://td"),
	} {
		if c, err := tlsid.NewCredential(pair, tlsid.Bundles{}); err == nil || !c.IsZero() || !strings.Contains(err.Error(), says) {
			t.Errorf("got %s, %v, want %s", c, err, says)
		}
	}
	c := credential(t, good, trusting(domain(t, "td"), root))
	if c.ID().String() != peerID || c.IsZero() || !c.NotAfter().Equal(good.Leaf.NotAfter) || !c.NotBefore().Equal(good.Leaf.NotBefore) {
		t.Errorf("got %s", c)
	}
	if with := c.With(tlsid.Bundles{}); with.ID() != c.ID() || !with.Bundles().Equal(tlsid.Bundles{}) || c.Bundles().Equal(tlsid.Bundles{}) {
		t.Errorf("got %s of %s", with, c)
	}
}

func TestNoCredentialIsOne(t *testing.T) {
	var none tlsid.Credential
	if !none.IsZero() || !none.ID().IsZero() || none.Certificate() != nil || !none.With(tlsid.Bundles{}).IsZero() ||
		none.String() != "no credential" || !errors.Is(none.Check(time.Now()), tlsid.ErrOutOfTime) {
		t.Errorf("got %s", none)
	}
	var current tlsid.Current
	if c, ok := current.Load(); ok || !c.IsZero() {
		t.Errorf("got %s", c)
	}
	current.Store(none)
	if _, ok := current.Load(); ok {
		t.Error("none is one")
	}
}

func TestTheAgeOfACredential(t *testing.T) {
	from := time.Now().Truncate(time.Second)
	c := credential(t, newAuthority(t, "root").leaf(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = from, from.Add(100*time.Second)
	}, peerID), tlsid.Bundles{})
	for _, at := range []struct {
		after time.Duration
		want  error
	}{
		{-1, tlsid.ErrOutOfTime},
		{0, nil},
		{80 * time.Second, nil},
		{80*time.Second + 1, tlsid.ErrExpiring},
		{100 * time.Second, tlsid.ErrExpiring},
		{100*time.Second + 1, tlsid.ErrOutOfTime},
	} {
		if err := c.Check(from.Add(at.after)); !errors.Is(err, at.want) || at.want == nil && err != nil {
			t.Errorf("after %s: got %v, want %v", at.after, err, at.want)
		}
	}
}
