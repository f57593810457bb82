package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

const (
	mismatch = "Jwks doesn't have key to match kid or alg from Jwt"
	fails    = "Jwt verification fails"
)

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// trusting has one key, as a JWK.
func trusting(tb testing.TB, jwk string) *jwt.Authenticator {
	tb.Helper()
	return compile(tb, &security.JWTRule{Issuer: "i", Jwks: `{"keys":[` + jwk + `]}`})
}

func jwkOf(tb testing.TB, key any, alg, use string) string {
	tb.Helper()
	return string(must[[]byte](tb)(json.Marshal(jose.JSONWebKey{Key: key, Algorithm: alg, Use: use})))
}

// keyPairs has one key of each type that is in use.
func keyPairs(tb testing.TB) map[string]crypto.Signer {
	ec := must[*ecdsa.PrivateKey](tb)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"RSA":   must[*rsa.PrivateKey](tb)(rsa.GenerateKey(rand.Reader, 2048)),
		"P-256": ec(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"P-384": ec(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"P-521": ec(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"Ed":    must[ed25519.PrivateKey](tb)(ed, err),
	}
}

// TestKeyWorksWithTheAlgorithmsOfItsTypeOnly: all signatures by all kinds of
// keys, held to each of the keys.
func TestKeyWorksWithTheAlgorithmsOfItsTypeOnly(t *testing.T) {
	pairs := keyPairs(t)
	fit := map[string][]jose.SignatureAlgorithm{
		"RSA":   {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512},
		"P-256": {jose.ES256}, "P-384": {jose.ES384}, "P-521": {jose.ES512}, "Ed": {jose.EdDSA},
	}
	for verifier, pair := range pairs {
		a := trusting(t, jwkOf(t, pair.Public(), "", ""))
		for signer, algs := range fit {
			for _, alg := range algs {
				token := sign(t, pairs[signer], alg, []byte(`{"iss":"i"}`))
				if signer == verifier {
					verified(t, a, bearer(token))
				} else {
					refused(t, a, bearer(token), mismatch)
				}
			}
		}
	}
}

// TestDeclaredAlgorithmIsTheOnlyOne: a JWK with alg pins it.
func TestDeclaredAlgorithmIsTheOnlyOne(t *testing.T) {
	pair := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	a := trusting(t, jwkOf(t, pair.Public(), "PS256", "sig"))
	verified(t, a, bearer(sign(t, pair, jose.PS256, []byte(`{"iss":"i"}`))))
	refused(t, a, bearer(sign(t, pair, jose.RS256, []byte(`{"iss":"i"}`))), mismatch)
}

// TestPublicKeyIsNoSecret: the classic confusion, an HMAC with the public key.
func TestPublicKeyIsNoSecret(t *testing.T) {
	pair := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	jwk := jwkOf(t, pair.Public(), "", "")
	for _, secret := range [][]byte{x509.MarshalPKCS1PublicKey(&pair.PublicKey), []byte(jwk)} {
		refused(t, trusting(t, jwk), bearer(sign(t, secret, jose.HS256, []byte(`{"iss":"i"}`))), mismatch)
	}
}

// TestSecretsMustBeAsLongAsTheHash of the algorithm.
func TestSecretsMustBeAsLongAsTheHash(t *testing.T) {
	secret := make([]byte, 64)
	for alg, size := range map[jose.SignatureAlgorithm]int{jose.HS256: 32, jose.HS384: 48, jose.HS512: 64} {
		token := sign(t, secret[:size], alg, []byte(`{"iss":"i"}`))
		verified(t, trusting(t, jwkOf(t, secret[:size], "", "")), bearer(token))
		if size > 32 {
			refused(t, trusting(t, jwkOf(t, secret[:size-1], "", "")), bearer(token), mismatch)
		}
	}
}

// TestUnfitKeysAreNoKeys: what RFC 7517 tells us to ignore, alone in a set.
func TestUnfitKeysAreNoKeys(t *testing.T) {
	short := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	pair := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	token := sign(t, pair, jose.ES256, []byte(`{"iss":"i"}`))
	for name, jwk := range map[string]string{
		"RSA of 1024 bits":  jwkOf(t, short.Public(), "", ""),
		"for encryption":    jwkOf(t, pair.Public(), "", "enc"),
		"alg of other type": jwkOf(t, pair.Public(), "RS256", ""),
		"alg none":          jwkOf(t, pair.Public(), "none", ""),
		"short secret":      jwkOf(t, []byte("secret"), "", ""),
		"no point":          `{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, trusting(t, jwk), bearer(token), "Jwks doesn't have any valid public key")
		})
	}
}

// TestPublishedPrivateKeyVerifies: the public half of it.
func TestPublishedPrivateKeyVerifies(t *testing.T) {
	for name, pair := range keyPairs(t) {
		alg := map[string]jose.SignatureAlgorithm{"RSA": jose.RS256, "P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512, "Ed": jose.EdDSA}[name]
		verified(t, trusting(t, jwkOf(t, pair, "", "")), bearer(sign(t, pair, alg, []byte(`{"iss":"i"}`))))
	}
}

// TestHeaderNamesNoKey: jku, x5u, jwk and x5c of a token lead nowhere, and
// extensions that it calls critical are not understood.
func TestHeaderNamesNoKey(t *testing.T) {
	trusted := newIssuer(t, "i", "")
	attacker := newIssuer(t, "i", "")
	a := compile(t, trusted.rule(t))
	for _, key := range []jose.HeaderKey{"jku", "x5u"} {
		o := (&jose.SignerOptions{}).WithHeader(key, "http://127.0.0.1:1/jwks")
		refused(t, a, bearer(signWith(t, attacker, o)), fails)
	}
	refused(t, a, bearer(signWith(t, attacker, &jose.SignerOptions{EmbedJWK: true})), fails)
	crit := (&jose.SignerOptions{}).WithHeader("crit", []string{"exp"}).WithHeader("exp", 1)
	refused(t, a, bearer(signWith(t, trusted, crit)), fails)
	refused(t, a, bearer(signWith(t, trusted, (&jose.SignerOptions{}).WithHeader("b64", true))), fails)
}

func signWith(tb testing.TB, i issuer, o *jose.SignerOptions) string {
	tb.Helper()
	signer := must[jose.Signer](tb)(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.jwk}, o))
	signed := must[*jose.JSONWebSignature](tb)(signer.Sign([]byte(`{"iss":"i"}`)))
	return must[string](tb)(signed.CompactSerialize())
}

// TestKidChoosesTheKey, where both token and key have one; else every key is tried.
func TestKidChoosesTheKey(t *testing.T) {
	one, two := newIssuer(t, "i", "one"), newIssuer(t, "i", "two")
	anonymous := newIssuer(t, "i", "")
	a := compile(t, &security.JWTRule{Issuer: "i", Jwks: jwks(t, one, two)})
	verified(t, a, bearer(two.token(t, nil)))
	mislabelled := two
	mislabelled.jwk.KeyID = "one"
	refused(t, a, bearer(mislabelled.token(t, nil)), fails)
	mislabelled.jwk.KeyID = ""
	verified(t, a, bearer(mislabelled.token(t, nil)))
	refused(t, a, bearer(anonymous.token(t, nil)), fails)
	b := compile(t, &security.JWTRule{Issuer: "i", Jwks: jwks(t, anonymous)})
	anonymous.jwk.KeyID = "any"
	verified(t, b, bearer(anonymous.token(t, nil)))
}

// TestWrongLengthOfEdSignature has words of its own.
func TestWrongLengthOfEdSignature(t *testing.T) {
	pair := keyPairs(t)["Ed"]
	token := splice(sign(t, pair, jose.EdDSA, []byte(`{"iss":"i"}`)), 2, "AAAA")
	refused(t, trusting(t, jwkOf(t, pair.Public(), "", "")), bearer(token), "Jwt ED25519 signature is wrong length")
}
