package jwt

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Auth is what a verified token says of the request. It is shared by the
// requests that bear the token: nobody changes it or what it holds.
type Auth struct {
	Issuer    string   // the claim iss, "" where the token has none
	Subject   string   // the claim sub, "" where the token has none
	Principal string   // iss/sub, "" unless the token has both
	Audiences []string // the claim aud, a string or a list of them
	Presenter string   // the claim azp, "" where it is no string
	// Claims is the whole payload, as encoding/json decodes it with UseNumber;
	// the claims that are split on spaces are []any of strings.
	Claims map[string]any
}

func newAuth(t *token, split []string) *Auth {
	a := &Auth{Issuer: t.issuer, Subject: t.subject, Audiences: t.audiences, Claims: splitClaims(t.claims, split)}
	a.Presenter, _ = t.claims["azp"].(string)
	if a.Issuer != "" && a.Subject != "" {
		a.Principal = a.Issuer + "/" + a.Subject
	}
	return a
}

// splitClaims makes lists of the claims with these names, which are whole names:
// a dot leads nowhere (Envoy: setPayloadMetadata).
func splitClaims(claims map[string]any, names []string) map[string]any {
	out := maps.Clone(claims)
	for _, name := range names {
		text, _ := claims[name].(string)
		if list := words(text); len(list) > 0 {
			out[name] = list
		}
	}
	return out
}

func words(text string) []any {
	var list []any
	for word := range strings.SplitSeq(text, " ") {
		if word != "" {
			list = append(list, word)
		}
	}
	return list
}

// claimAt follows a.b through nested objects.
func claimAt(claims map[string]any, path string) any {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return claims[name]
	}
	inner, _ := claims[name].(map[string]any)
	return claimAt(inner, rest)
}

// headerText is a claim as the value of a header: strings, numbers and booleans
// have one; "" is none. A string that no header can carry has none either.
func headerText(claim any) string {
	switch v := claim.(type) {
	case string:
		if sendable(v) {
			return v
		}
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return numberText(v)
	}
	return ""
}

// numberText writes whole numbers without exponent and fraction, as far as
// float64 knows them; what was written as digits stays as it was written.
func numberText(n json.Number) string {
	if _, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return n.String()
	}
	f, err := n.Float64()
	if err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return n.String()
}

// sendable: a field value has visible characters, spaces, tabs and bytes from
// 0x80 (RFC 9110 §5.5). A line break would begin a header of the token's own.
func sendable(value string) bool {
	return !slices.ContainsFunc([]byte(value), func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
