package rules

import (
	"regexp"
	"slices"

	networking "istio.io/api/networking/v1alpha3"
)

func validateRewrite(c *checker, path string, r *networking.HTTPRewrite) {
	if r == nil {
		return
	}
	if r.Uri == "" && r.Authority == "" && r.UriRegexRewrite == nil {
		c.invalid(path, "empty: want uri, uriRegexRewrite or authority")
	}
	if r.Uri != "" && r.UriRegexRewrite != nil {
		c.invalid(path+".uriRegexRewrite", "stands beside uri: want one or the other")
	}
	if r.UriRegexRewrite != nil {
		validateRegexRewrite(c, path+".uriRegexRewrite", r.UriRegexRewrite)
	}
}

func validateRegexRewrite(c *checker, path string, r *networking.RegexRewrite) {
	validateRegex(c, path+".match", r.Match)
	if r.Rewrite == "" {
		c.invalid(path+".rewrite", "empty: want what to write instead")
	}
	expr, err := regexp.Compile(r.Match)
	if err != nil {
		return
	}
	if group := highestGroup(r.Rewrite); group > expr.NumSubexp() {
		c.warn(path+".rewrite", `has no effect: \%d is written, and the expression has %d groups`, group, expr.NumSubexp())
	}
}

// highestGroup is the highest N among the \N of a replacement in RE2's form.
func highestGroup(replacement string) int {
	highest := 0
	for i := 0; i+1 < len(replacement); i++ {
		if replacement[i] != '\\' {
			continue
		}
		i++
		if d := replacement[i]; '0' <= d && d <= '9' {
			highest = max(highest, int(d-'0'))
		}
	}
	return highest
}

func validateRedirect(c *checker, path string, r *networking.HTTPRoute) {
	redirect := r.Redirect
	if redirect == nil {
		return
	}
	at := path + ".redirect"
	if redirect.Uri == "" && redirect.PrefixRewrite == "" && redirect.Authority == "" &&
		redirect.Scheme == "" && redirect.RedirectPort == nil {
		c.invalid(at, "empty: want uri, prefixRewrite, authority, port, derivePort or scheme")
	}
	if redirect.PrefixRewrite != "" {
		validatePrefixRedirect(c, path, r)
	}
	if s := redirect.Scheme; s != "" && s != "http" && s != "https" {
		c.invalid(at+".scheme", "%q: want http or https", s)
	}
	validateRedirectCode(c, at+".redirectCode", redirect.RedirectCode)
}

// validatePrefixRedirect checks that there is a prefix to replace.
func validatePrefixRedirect(c *checker, path string, r *networking.HTTPRoute) {
	if r.Redirect.Uri != "" {
		c.invalid(path+".redirect.prefixRewrite", "stands beside uri: want one or the other")
	}
	for i, match := range r.Match {
		if uri := match.GetUri(); uri != nil && !isPrefix(uri) {
			c.invalid(item(path, "match", i)+".uri", "redirect.prefixRewrite needs a prefix to replace: want uri.prefix")
		}
	}
}

func isPrefix(m *networking.StringMatch) bool {
	_, ok := m.GetMatchType().(*networking.StringMatch_Prefix)
	return ok
}

// validateRedirectCode refuses the codes that Istio accepts and then builds a
// route without an action for, which Envoy does not take.
func validateRedirectCode(c *checker, path string, code uint32) {
	works := []uint32{0, 301, 302, 303, 307, 308}
	switch {
	case slices.Contains(works, code):
	case code < 300 || code > 399:
		c.invalid(path, "%d: want 301, 302, 303, 307 or 308", code)
	default:
		c.refuse(path, "%d does not redirect: want 301, 302, 303, 307 or 308", code)
	}
}

// Istio's limits on an answer that is written in a rule, in bytes.
const (
	maxBody   = 1 << 20
	largeBody = 100 << 10
)

func validateDirectResponse(c *checker, path string, d *networking.HTTPDirectResponse) {
	if d == nil {
		return
	}
	validateStatus(c, path+".status", int64(d.Status))
	size := len(d.GetBody().GetString_()) + len(d.GetBody().GetBytes())
	switch {
	case size > maxBody:
		c.invalid(path+".body", "%d bytes: want at most %d", size, maxBody)
	case size > largeBody:
		c.warn(path+".body", "%d bytes: more than %d slow down every reading of the rules", size, largeBody)
	}
}

// validateStatus checks a status to answer with. 600 passes Istio's check, and
// Envoy then refuses it.
func validateStatus(c *checker, path string, status int64) {
	switch {
	case status < 200 || status > 600:
		c.invalid(path, "%d: want 200 to 599", status)
	case status == 600:
		c.refuse(path, "600 is no status: want 200 to 599")
	}
}
