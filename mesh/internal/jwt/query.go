package jwt

import (
	"net/url"
	"slices"
	"strings"
)

// parameter reads one pair of a query as net/url does for the handler: what it
// would leave out (a semicolon, a broken escape) is not ok.
func parameter(pair string) (name, value string, ok bool) {
	if pair == "" || strings.Contains(pair, ";") {
		return "", "", false
	}
	name, value, _ = strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return "", "", false
	}
	value, err = url.QueryUnescape(value)
	return name, value, err == nil
}

// withoutParameters leaves out the pairs with these names, and every other byte
// as it is.
func withoutParameters(rawQuery string, names []string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, _, ok := parameter(pair); !ok || !slices.Contains(names, name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
