package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// RSA keys outside these bounds, in bits, are not taken: shorter ones are
// broken (RFC 7518 §3.3 wants 2048), longer ones are a way to burn our time.
const minRSA, maxRSA = 2048, 8192

// algorithms are those of Envoy. "none" is not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.ES256, jose.ES384, jose.ES512, jose.HS256, jose.HS384, jose.HS512,
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	}
}

// algorithmsOf are what a key of this type and size is fit for.
func algorithmsOf(public any) []jose.SignatureAlgorithm {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
			return nil
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		return algorithmOf(k.Curve)
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case []byte:
		return algorithmsFor(len(k))
	}
	return nil
}

func algorithmOf(curve elliptic.Curve) []jose.SignatureAlgorithm {
	switch curve {
	case elliptic.P256():
		return []jose.SignatureAlgorithm{jose.ES256}
	case elliptic.P384():
		return []jose.SignatureAlgorithm{jose.ES384}
	case elliptic.P521():
		return []jose.SignatureAlgorithm{jose.ES512}
	}
	return nil
}

// algorithmsFor: "A key of the same size as the hash output [...] or larger
// MUST be used" with HMAC (RFC 7518 §3.2).
func algorithmsFor(secret int) []jose.SignatureAlgorithm {
	var algs []jose.SignatureAlgorithm
	for _, a := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		if secret >= hmacSize(a) {
			algs = append(algs, a)
		}
	}
	return algs
}

func hmacSize(a jose.SignatureAlgorithm) int {
	switch a {
	case jose.HS256:
		return 32
	case jose.HS384:
		return 48
	}
	return 64
}
