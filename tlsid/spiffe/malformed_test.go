package spiffe_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
)

// Each malformed answer is an error that the same stream survives, and that
// shows nothing of the key.
func TestMalformedAnswersAreNewsAndTheStreamGoesOn(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	good := response(root, root.leaf(reviews))
	for name, test := range malformed(root) {
		t.Run(name, func(t *testing.T) {
			agent.send(good)
			w := watchAgent(t, agent)
			w.credential()
			agent.send(test.answer)
			err := w.error()
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
			for _, svid := range test.answer.Svids {
				showsNoKey(t, err.Error(), svid.X509SvidKey)
			}
			agent.send(good)
			if got := w.credential().ID().String(); got != reviews {
				t.Errorf("got %s, want %s", got, reviews)
			}
		})
	}
}

type malformedAnswer struct {
	answer *workload.X509SVIDResponse
	want   string
}

func malformed(root *authority) map[string]malformedAnswer {
	stranger := newAuthority(root.t)
	ofLeaf := func(changes ...func(*x509.Certificate)) *workload.X509SVIDResponse {
		return response(root, root.leaf(productpage, changes...))
	}
	with := func(change func(*workload.X509SVID)) *workload.X509SVIDResponse {
		answer := ofLeaf()
		change(answer.Svids[0])
		return answer
	}
	federated := func(name string, bundle []byte) *workload.X509SVIDResponse {
		answer := ofLeaf()
		answer.FederatedBundles = map[string][]byte{name: bundle}
		return answer
	}
	badChain := root.leaf(productpage)
	badChain.chain = append(badChain.chain, root.leaf(reviews).chain...)
	garbage := []byte("not what it should be")

	return map[string]malformedAnswer{
		"no identity":          {&workload.X509SVIDResponse{}, "no SVIDs in response"},
		"no certificate":       {with(func(s *workload.X509SVID) { s.X509Svid = nil }), "no certificates found"},
		"garbage certificate":  {with(func(s *workload.X509SVID) { s.X509Svid = garbage }), "cannot parse DER encoded certificate"},
		"no key":               {with(func(s *workload.X509SVID) { s.X509SvidKey = nil }), "cannot parse DER encoded private key"},
		"garbage key":          {with(func(s *workload.X509SVID) { s.X509SvidKey = garbage }), "cannot parse DER encoded private key"},
		"half a key":           {with(func(s *workload.X509SVID) { s.X509SvidKey = s.X509SvidKey[:60] }), "cannot parse DER encoded private key"},
		"another's key":        {with(func(s *workload.X509SVID) { s.X509SvidKey = pkcs8(root.t, newKey(root.t)) }), "does not match private key"},
		"two URI SANs":         {ofLeaf(addURI(reviews)), "more than one URI SAN"},
		"no URI SAN":           {ofLeaf(noURI), "no URI SAN"},
		"another scheme":       {ofLeaf(onlyURI("https://cluster.local/ns/default/sa/productpage")), "scheme is missing or invalid"},
		"no path":              {ofLeaf(onlyURI("spiffe://cluster.local")), "non-root path"},
		"a CA as a leaf":       {ofLeaf(isCA), "must not have CA flag"},
		"a leaf that may sign": {ofLeaf(maySign), "must not have 'keyCertSign'"},
		"a leaf that may not":  {ofLeaf(mayNothing), "must have 'digitalSignature'"},
		"a leaf as a CA":       {response(root, badChain), "signing certificate must have CA flag"},
		"expired":              {ofLeaf(expired), "out of time: expired"},
		"not yet valid":        {ofLeaf(notYetValid), "out of time: not valid before"},
		"no bundle":            {with(func(s *workload.X509SVID) { s.Bundle = nil }), "unknown authority"},
		"garbage bundle":       {with(func(s *workload.X509SVID) { s.Bundle = garbage }), "malformed certificate"},
		"another's bundle":     {with(func(s *workload.X509SVID) { s.Bundle = der(stranger.cert) }), "unknown authority"},
		"another's name":       {with(func(s *workload.X509SVID) { s.SpiffeId = "spiffe://partner.example/a" }), "no X.509 bundle for trust domain \"cluster.local\""},
		"no name":              {with(func(s *workload.X509SVID) { s.SpiffeId = "" }), "trust domain is missing"},
		"garbage federation":   {federated("spiffe://partner.example", garbage), "malformed certificate"},
		"nameless federation":  {federated("", der(stranger.cert)), "trust domain is missing"},
	}
}

func onlyURI(id string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.URIs = nil; addURI(id)(c) }
}

func noURI(c *x509.Certificate)      { c.URIs = nil }
func isCA(c *x509.Certificate)       { c.IsCA = true }
func maySign(c *x509.Certificate)    { c.KeyUsage |= x509.KeyUsageCertSign }
func mayNothing(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func notYetValid(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
}

// showsNoKey looks for any 12 bytes of the key, in the notations that a careless
// format would make of them.
func showsNoKey(t *testing.T, text string, key []byte) {
	t.Helper()
	const window = 12
	text = strings.ToLower(text)
	for i := 0; i+window <= len(key); i++ {
		part := key[i : i+window]
		for _, notation := range []string{string(part), hex.EncodeToString(part), base64.StdEncoding.EncodeToString(part)} {
			if strings.Contains(text, strings.ToLower(notation)) {
				t.Fatalf("%q shows the key", text)
			}
		}
	}
}
