package jwt

import "net/http"

// A status is what became of a token, in the words with which Envoy answers.
// https://github.com/envoyproxy/envoy/blob/main/source/common/jwt/status.cc
type status string

const (
	valid   status = ""
	missing status = "Jwt is missing"

	badFormat        status = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
	badHeaderBase64  status = "Jwt header is an invalid Base64url encoded"
	badHeaderJSON    status = "Jwt header is an invalid JSON"
	badAlg           status = "Jwt header [alg] field is required and must be a string"
	unsupportedAlg   status = "Jwt header [alg] is not supported"
	badKid           status = "Jwt header [kid] field is not a string"
	badPayloadBase64 status = "Jwt payload is an invalid Base64url encoded"
	badPayloadJSON   status = "Jwt payload is an invalid JSON"
	badSignature     status = "Jwt signature is an invalid Base64url encoded"
	badEdLength      status = "Jwt ED25519 signature is wrong length"
	badAudience      status = "Jwt payload [aud] field is not a string or string list"

	unknownIssuer      status = "Jwt issuer is not configured"
	notYetValid        status = "Jwt not yet valid"
	expired            status = "Jwt is expired"
	audienceNotAllowed status = "Audiences in Jwt are not allowed"
	verificationFails  status = "Jwt verification fails"
	tooMany            status = "Found multiple Jwt tokens"

	noMatchingKey status = "Jwks doesn't have key to match kid or alg from Jwt"
	fetchFailed   status = "Jwks remote fetch is failed"
	badKeysJSON   status = "Jwks is an invalid JSON"
	noKeys        status = "Jwks does not have [keys] field"
	keysNoArray   status = "[keys] in Jwks is not an array"
	tooManyKeys   status = "Jwks has more than 100 keys" // our own bound
	noValidKeys   status = "Jwks doesn't have any valid public key"
)

func notString(claim string) status {
	return status("Jwt payload [" + claim + "] field is not a string")
}

func notInteger(claim string) status {
	return status("Jwt payload [" + claim + "] field is not an integer")
}

func outOfRange(claim string) status {
	return status("Jwt payload [" + claim + "] field is not a positive 64 bit integer")
}

// code is the HTTP status of the refusal: 403 where the token is good and only
// meant for somebody else.
func (s status) code() int {
	if s == audienceNotAllowed {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}
