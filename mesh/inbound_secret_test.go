package mesh_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// secretsOf are the ways in which the private key of a credential could show.
func secretsOf(t *testing.T, c tlsid.Credential) map[string]string {
	t.Helper()
	key := c.Certificate().PrivateKey.(*ecdsa.PrivateKey)
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{"PEM": "PRIVATE KEY"}
	for name, b := range map[string][]byte{"scalar": raw, "PKCS #8": der} {
		shown[name+" in hex"] = hex.EncodeToString(b)
		shown[name+" in base64"] = base64.RawStdEncoding.EncodeToString(b)[:40]
		shown[name+" as a list"] = strings.Trim(fmt.Sprint(b), "[]")
		shown[name+" as text"] = string(b)
	}
	shown["scalar in decimals"] = fmt.Sprint(key.D)
	shown["words of the scalar"] = strings.Trim(fmt.Sprint(key.D.Bits()), "[]")
	return shown
}

// Whatever is logged, told to observers, shown as status or returned as an error:
// no key and no token is in it.
func TestNothingThatIsSaidHasKeysOrTokensInIt(t *testing.T) {
	ours, theirs := newIssuer("https://ours", 1), newIssuer("https://theirs", 2)
	ca, stranger := caOf(t, "cluster.local"), caOf(t, "stranger.example")
	v := newVault(issue(t, ca, "reviews"))
	b := openIn(t, ca, func(c *mesh.Config) {
		c.Identity = v
		c.Authorizers = map[string]mesh.Authorizer{"opa": decider(func(context.Context, mesh.AccessRequest) error { return errors.New("no") })}
	}, hello, ours.inlined(""), authorization("ask", custom), authorization("deny", "{action: DENY, rules: [{to: [{operation: {paths: [/no]}}]}]}"),
		authorization("look", "{action: AUDIT, rules: [{}]}"), rate("all", "{"+server+", total: {requestsPerSecond: 1000}}"))
	tokens := []string{ours.token(nil), theirs.token(nil), ours.token(claims{"exp": 1}), "bm90.YQ.c2VjcmV0c2VjcmV0"}
	for _, version := range versions {
		for _, g := range []*guest{b.guest("productpage", version), b.stranger(version), b.guestOf(stranger, "productpage", version, nil)} {
			for _, token := range tokens {
				for _, path := range []string{"/", "/no", "/asked/7", "/a%00", "/?access_token=" + token} {
					g.send("GET", path, "Authorization: Bearer "+token, "Cookie: session="+token)
				}
			}
		}
	}
	next := issue(t, ca, "reviews")
	v.put(next)
	if err := b.rules.Update("kind: nonsense"); err == nil {
		t.Fatal("nonsense is a rule")
	}
	<-b.diary.rules
	status, err := json.Marshal(b.mesh.Status())
	if err != nil {
		t.Fatal(err)
	}
	said := b.diary.text() + string(status) + fmt.Sprintf("%+v %#v", b.mesh.Status(), b.mesh.Status())
	if len(b.diary.takeAccess()) < 50 {
		t.Errorf("little was said: %s", said)
	}
	for _, c := range []tlsid.Credential{issue(t, ca, "reviews"), next} {
		for form, text := range secretsOf(t, c) {
			if strings.Contains(said, text) {
				t.Errorf("the key shows: %s", form)
			}
		}
	}
	for _, token := range tokens {
		signature := token[strings.LastIndexByte(token, '.')+1:]
		if at := strings.Index(said, signature); at >= 0 {
			t.Errorf("a token shows: %s", said[max(0, at-200):at+20])
		}
	}
}

// Keys that stand in rules, by mistake or of necessity, show in no fault.
func TestFaultsShowNoKeysOfRules(t *testing.T) {
	const symmetric = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0"
	for _, jwks := range []string{
		`{"keys":[{"kty":"oct","k":"` + symmetric + `"}]}`,
		`{"keys":[{"kty":"oct","k":"` + symmetric + `"]}`,
		`{"keys":"` + symmetric + `"}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + symmetric + `","d":"` + symmetric + `"}]}`,
		symmetric,
	} {
		d := newDiary()
		m, err := mesh.New(t.Context(), mesh.Config{
			Rules:    rules.Static(rule("RequestAuthentication", "tokens", "{jwtRules: [{issuer: a, jwks: '"+jwks+"'}]}")),
			Observer: d.observer(),
		})
		if err == nil {
			_ = m.Close()
		}
		if said := fmt.Sprintf("%v %+v %s", err, err, d.text()); strings.Contains(said, symmetric) {
			t.Errorf("%s: %s", jwks, said)
		}
	}
}
