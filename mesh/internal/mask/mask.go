// Package mask takes secrets out of what operators are shown: of headers, of
// queries, of texts. It goes by names and by looks, so that it hides what is no
// secret at times; it is for eyes, and nothing is decided by it.
package mask

import (
	"regexp"
	"slices"
	"strings"
)

// Hidden stands where a secret was.
const Hidden = "***"

// Secret reports whether what is called so is a secret: an access token, a cookie,
// a password. The name is a header's, a query parameter's or a cookie's.
func Secret(name string) bool {
	name = strings.ToLower(name)
	joined := strings.NewReplacer("-", "", "_", "", ".", "").Replace(name)
	return slices.ContainsFunc(parts(), func(part string) bool { return strings.Contains(joined, part) }) ||
		slices.ContainsFunc(strings.FieldsFunc(name, separates), isSecretWord)
}

func separates(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// parts are what names of secrets have somewhere in them.
func parts() []string {
	return []string{
		"authorization", "authentication", "cookie", "token", "secret", "passw", "passphrase", "apikey", "accesskey", "privatekey",
		"signature", "credential", "session", "sessid", "jwt", "assertion", "bearer",
	}
}

func isSecretWord(word string) bool {
	switch word {
	case "auth", "key", "sig", "pwd", "pass", "otp", "pin", "sid", "code", "nonce":
		return true
	}
	return false
}

// Header is the values of a header as they may be shown, shortened.
func Header(name string, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = Short(v, Text)
		if Secret(name) {
			out[i] = Hidden
		}
	}
	return out
}

// Query is a raw query as it may be shown: parameters keep their order.
func Query(raw string) string { return looks(parameters(raw, parameter)) }

// parameters masks each of those of a query, also of one in the value of another.
// It takes one pass, however deep they are: strangers write them.
func parameters(raw string, masked func(pair string) string) string {
	if !strings.Contains(raw, "=") {
		return raw
	}
	var out strings.Builder
	for raw != "" {
		end := strings.IndexAny(raw, "&?")
		if end < 0 {
			end = len(raw)
		}
		out.WriteString(masked(raw[:end]))
		out.WriteString(raw[end:min(end+1, len(raw))])
		raw = raw[min(end+1, len(raw)):]
	}
	return out.String()
}

// parameter hides a value, too, that is a URL or a text with a secret in it, as the
// value of a parameter is escaped: once.
func parameter(pair string) string {
	plain := unescaped(pair)
	if plain != pair && (looks(plain) != plain || parameters(plain, byName) != plain) {
		return hidden(pair)
	}
	return byName(pair)
}

func byName(pair string) string {
	if name, _, _ := strings.Cut(pair, "="); Secret(unescaped(name)) {
		return hidden(pair)
	}
	return pair
}

// hidden is a parameter without its value. What has none is shown.
func hidden(pair string) string {
	name, _, written := strings.Cut(pair, "=")
	if !written {
		return pair
	}
	return name + "=" + Hidden
}

// unescaped is enough of it to know a name: %74oken is token to a server.
func unescaped(name string) string {
	return escape.ReplaceAllStringFunc(name, func(s string) string {
		return string(rune(hex(s[1])<<4 | hex(s[2])))
	})
}

func hex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

var (
	escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	// scheme is credentials with their scheme before them (RFC 9110 §11.4).
	scheme = regexp.MustCompile(`(?i)\b(bearer|basic|digest|negotiate|ntlm|dpop|aws4-hmac-sha256)((?:\s|%20|\+)+)[^\s"',;&]{3,}`)
	// token is a JSON Web Token, signed or encrypted (RFC 7515 §3, RFC 7516 §3).
	token = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*){2,4}`)
	// user is a password in a URL: some have an @ in it.
	user = regexp.MustCompile(`(://)[^/?#\s]+@`)
	// query is a URL's.
	query = regexp.MustCompile(`\?[^\s"'<>#?]*=[^\s"'<>#]*`)
	// key is a private key in PEM.
	key = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)
)

// Text is a text as it may be shown: without what looks like a credential, a
// token, a private key or the user of a URL, and with the queries in it masked.
func Text(s string) string {
	s = looks(s)
	return query.ReplaceAllStringFunc(s, func(q string) string { return "?" + parameters(q[1:], parameter) })
}

// looks takes out what looks like a secret whatever it is called.
func looks(s string) string {
	s = key.ReplaceAllString(s, Hidden)
	s = scheme.ReplaceAllString(s, "$1$2"+Hidden)
	s = token.ReplaceAllString(s, Hidden)
	return user.ReplaceAllString(s, "$1"+Hidden+"@")
}
