package spiffe_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/spiffe"
)

// What a relay yields, and when: the time since its start, and what it is.
type yielded struct {
	at   time.Duration
	what string
}

func TestTimeIsToldOfACredentialThatIsNotRenewed(t *testing.T) {
	type sent struct {
		at       time.Duration
		from, to time.Duration // validity
	}
	const h = time.Hour
	for name, test := range map[string]struct {
		sent []sent
		want []yielded
	}{
		"in time":           {[]sent{{0, 0, 10 * h}}, []yielded{{0, "good"}, {8*h + 1, "expiring"}, {10*h + 1, "out of time"}}},
		"renewed in time":   {[]sent{{0, 0, 10 * h}, {5 * h, 5 * h, 15 * h}}, []yielded{{0, "good"}, {5 * h, "good"}, {13*h + 1, "expiring"}, {15*h + 1, "out of time"}}},
		"renewed late":      {[]sent{{0, 0, 10 * h}, {9 * h, 9 * h, 19 * h}}, []yielded{{0, "good"}, {8*h + 1, "expiring"}, {9 * h, "good"}, {17*h + 1, "expiring"}, {19*h + 1, "out of time"}}},
		"from the future":   {[]sent{{0, h, 11 * h}}, []yielded{{0, "out of time"}, {h + 1, "good"}, {9*h + 1, "expiring"}, {11*h + 1, "out of time"}}},
		"expired":           {[]sent{{0, -2 * h, -h}}, []yielded{{0, "out of time"}, {h, "out of time"}, {2 * h, "out of time"}}},
		"about to expire":   {[]sent{{0, -9 * h, h}}, []yielded{{0, "good"}, {0, "expiring"}, {h + 1, "out of time"}}},
		"future, then good": {[]sent{{0, 4 * h, 14 * h}, {h, 0, 10 * h}}, []yielded{{0, "out of time"}, {h, "good"}, {8*h + 1, "expiring"}, {10*h + 1, "out of time"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, root := time.Now(), newAuthority(t)
				credentials := make(chan tlsid.Credential)
				go func() {
					defer close(credentials)
					for _, s := range test.sent {
						<-time.After(time.Until(start.Add(s.at)))
						credentials <- credentialOf(t, root, root.leaf(productpage, valid(start.Add(s.from), start.Add(s.to))))
					}
				}()
				ctx, cancel := context.WithTimeout(t.Context(), test.want[len(test.want)-1].at+h/2)
				defer cancel()
				if got := collect(ctx, start, credentials); !slices.Equal(got, test.want) {
					t.Errorf("got  %v\nwant %v", got, test.want)
				}
			})
		})
	}
}

func collect(ctx context.Context, start time.Time, credentials <-chan tlsid.Credential) (all []yielded) {
	for _, err := range spiffe.Relayed(ctx, credentials) {
		all = append(all, yielded{time.Since(start), kind(err)})
	}
	return all
}

func kind(err error) string {
	switch {
	case err == nil:
		return "good"
	case errors.Is(err, tlsid.ErrExpiring):
		return "expiring"
	case errors.Is(err, tlsid.ErrOutOfTime):
		return "out of time"
	}
	return err.Error()
}

func valid(from, to time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// credentialOf trusts root for cluster.local.
func credentialOf(t *testing.T, root *authority, l leaf) tlsid.Credential {
	t.Helper()
	return credentialWith(t, l, map[string]*authority{"cluster.local": root})
}

func credentialWith(t *testing.T, l leaf, trusted map[string]*authority) tlsid.Credential {
	t.Helper()
	c, err := tlsid.NewCredential(tlsCertificate(l), bundlesOf(t, trusted))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bundlesOf(t *testing.T, trusted map[string]*authority) tlsid.Bundles {
	t.Helper()
	roots := map[tlsid.TrustDomain][]*x509.Certificate{}
	for name, a := range trusted {
		domain, err := tlsid.ParseTrustDomain(name)
		if err != nil {
			t.Fatal(err)
		}
		roots[domain] = []*x509.Certificate{a.cert}
	}
	return tlsid.NewBundles(roots)
}

func tlsCertificate(l leaf) tls.Certificate {
	certificate := tls.Certificate{PrivateKey: l.key}
	for _, c := range l.chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return certificate
}
