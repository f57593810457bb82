package rules

import (
	"regexp"
	"strings"

	security "istio.io/api/security/v1beta1"
)

// An attribute is a key that a condition may have.
type attribute struct {
	check func(string) error // of one value; nil: any but ""
	late  bool               // not known when CUSTOM decides
}

// attributes are the keys without brackets. Nobody writes to it.
var attributes = map[string]attribute{
	"source.ip":              {checkSubnet, false},
	"remote.ip":              {checkSubnet, false},
	"destination.ip":         {checkSubnet, false},
	"destination.port":       {checkPortText, false},
	"connection.sni":         {nil, false},
	"source.namespace":       {nil, true},
	"source.principal":       {nil, true},
	accountKey:               {checkAccount, true},
	"source.trustDomain":     {checkTrustDomain, true},
	"request.auth.principal": {nil, true},
	"request.auth.audiences": {nil, true},
	"request.auth.presenter": {nil, true},
}

// The first two are keys with a name in brackets behind them.
const (
	headersKey = "request.headers"
	claimsKey  = "request.auth.claims"
	accountKey = "source.serviceAccount"
)

var (
	headerKey = regexp.MustCompile(`^request\.headers\[.+\]$`)
	claimKey  = regexp.MustCompile(`^request\.auth\.claims(\[[^][]+\])+$`)
	knownKeys = append([]string{headersKey + "[name]", claimsKey + "[name]"}, attributeNames()...)
)

func attributeNames() (names []string) {
	for name := range sorted(attributes) {
		names = append(names, name)
	}
	return names
}

func validateCondition(c *checker, path string, w *security.Condition, early bool) {
	if w.Key == "" {
		c.invalid(path+".key", "missing: want one of %s", strings.Join(knownKeys, ", "))
		return
	}
	if len(w.Values)+len(w.NotValues) == 0 {
		c.invalid(path, "no values for %q: want values or notValues", brief(w.Key))
	}
	a := validateKey(c, path+".key", w.Key)
	if early && a.late {
		c.invalid(path+".key", "%q cannot stand under action CUSTOM, which decides before it is known", brief(w.Key))
	}
	if w.Key == accountKey {
		validateCount(c, path+".values", len(w.Values), maxAccounts)
		validateCount(c, path+".notValues", len(w.NotValues), maxAccounts)
	}
	validateValues(c, path+".values", w.Values, a.check)
	validateValues(c, path+".notValues", w.NotValues, a.check)
}

func validateKey(c *checker, path, key string) attribute {
	if a, ok := attributes[key]; ok {
		return a
	}
	switch {
	case !strings.HasPrefix(key, headersKey) && !strings.HasPrefix(key, claimsKey) && !isExperimental(key):
		c.invalid(path, "%q: no such attribute%s", brief(key), explainKey(key))
	case !bracketed(key):
		c.invalid(path, "%q: want a name in brackets at its end, [name]", brief(key))
	case isExperimental(key):
		c.refuse(path, "%q: needs a proxy's filters; leaving the condition out would change who has access", brief(key))
	case !headerKey.MatchString(key) && !claimKey.MatchString(key):
		c.refuse(path, "%q: want %s[name] or %s[name]…; Istio accepts it, and then drops the whole rule", brief(key), headersKey, claimsKey)
	}
	return attribute{late: strings.HasPrefix(key, "request.auth.")}
}

func isExperimental(key string) bool {
	return strings.HasPrefix(key, "experimental.envoy.filters.") || strings.HasPrefix(key, "request.experimental.inline.headers")
}

// bracketed is all that Istio's validator asks of a key with a name in it.
func bracketed(key string) bool {
	open := strings.IndexByte(key, '[')
	return strings.HasSuffix(key, "]") && open > 0 && open < len(key)-2
}

// explainKey says what took the place of keys that there once were.
func explainKey(key string) string {
	switch {
	case key == "destination.namespace":
		return "; the policy's own namespace stands for it"
	case strings.HasPrefix(key, "destination.labels"), key == "destination.name", key == "destination.user":
		return "; the policy's selector stands for it"
	}
	return didYouMean(key, knownKeys)
}
