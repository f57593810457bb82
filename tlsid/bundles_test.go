package tlsid_test

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

func TestBundlesAreEqualByWhatTheyHold(t *testing.T) {
	a, b := newAuthority(t, "a").certificate, newAuthority(t, "b").certificate
	x, y := domain(t, "x"), domain(t, "y")
	type of = map[tlsid.TrustDomain][]*x509.Certificate
	distinct := []tlsid.Bundles{
		{},
		tlsid.NewBundles(of{x: nil}),
		tlsid.NewBundles(of{x: {a}}),
		tlsid.NewBundles(of{x: {b}}),
		tlsid.NewBundles(of{x: {a, b}}),
		tlsid.NewBundles(of{y: {a}}),
		tlsid.NewBundles(of{x: {a}, y: {b}}),
		tlsid.NewBundles(of{x: {b}, y: {a}}),
		tlsid.NewBundles(of{x: {a, b}, y: nil}),
	}
	for i := range distinct {
		for j := range distinct {
			if distinct[i].Equal(distinct[j]) != (i == j) {
				t.Errorf("%s and %s: got %v", distinct[i], distinct[j], i != j)
			}
		}
	}
	for _, same := range [][2]tlsid.Bundles{
		{tlsid.NewBundles(nil), {}},
		{tlsid.NewBundles(of{x: {a, b}}), tlsid.NewBundles(of{x: {b, a, b}})},
	} {
		if !same[0].Equal(same[1]) {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	if n := testing.AllocsPerRun(100, func() { distinct[6].Equal(distinct[7]) }); n != 0 {
		t.Errorf("Equal allocates %v times", n)
	}
}

func TestBundlesDoNotChange(t *testing.T) {
	a, b := newAuthority(t, "a").certificate, newAuthority(t, "b").certificate
	given := map[tlsid.TrustDomain][]*x509.Certificate{domain(t, "y"): {a}, domain(t, "x"): {a, b, a}}
	bundles := tlsid.NewBundles(given)
	given[domain(t, "x")][0] = nil
	delete(given, domain(t, "y"))
	roots := bundles.Roots(domain(t, "x"))
	if len(roots) != 2 || len(bundles.Roots(domain(t, "y"))) != 1 || bundles.Roots(domain(t, "z")) != nil {
		t.Errorf("got %s", bundles)
	}
	roots[0] = nil
	if slices.Contains(bundles.Roots(domain(t, "x")), nil) {
		t.Error("what Roots returned is shared")
	}
	if got := bundles.Domains(); !slices.Equal(got, []tlsid.TrustDomain{domain(t, "x"), domain(t, "y")}) {
		t.Errorf("got %s", got)
	}
	if got := bundles.String(); got != "roots{x: 2, y: 1}" {
		t.Errorf("got %s", got)
	}
}
