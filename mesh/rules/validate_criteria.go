package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	security "istio.io/api/security/v1beta1"
)

// A criterion is one list of a source or an operation: a request is to have one
// of the values, or none of them.
type criterion struct {
	field  string
	values []string
	check  func(string) error // of one value; nil: any but ""
	late   bool               // not known when CUSTOM decides
}

func sourceCriteria(s *security.Source) []criterion {
	return []criterion{
		{"principals", s.GetPrincipals(), nil, true}, {"notPrincipals", s.GetNotPrincipals(), nil, true},
		{"requestPrincipals", s.GetRequestPrincipals(), nil, true}, {"notRequestPrincipals", s.GetNotRequestPrincipals(), nil, true},
		{"namespaces", s.GetNamespaces(), nil, true}, {"notNamespaces", s.GetNotNamespaces(), nil, true},
		{"serviceAccounts", s.GetServiceAccounts(), checkAccount, true}, {"notServiceAccounts", s.GetNotServiceAccounts(), checkAccount, true},
		{"trustDomains", s.GetTrustDomains(), checkTrustDomain, true}, {"notTrustDomains", s.GetNotTrustDomains(), checkTrustDomain, true},
		{"ipBlocks", s.GetIpBlocks(), checkSubnet, false}, {"notIpBlocks", s.GetNotIpBlocks(), checkSubnet, false},
		{"remoteIpBlocks", s.GetRemoteIpBlocks(), checkSubnet, false}, {"notRemoteIpBlocks", s.GetNotRemoteIpBlocks(), checkSubnet, false},
	}
}

func operationCriteria(o *security.Operation) []criterion {
	return []criterion{
		{"hosts", o.GetHosts(), nil, false}, {"notHosts", o.GetNotHosts(), nil, false},
		{"ports", o.GetPorts(), checkPortText, false}, {"notPorts", o.GetNotPorts(), checkPortText, false},
		{"methods", o.GetMethods(), nil, false}, {"notMethods", o.GetNotMethods(), nil, false},
		{"paths", o.GetPaths(), checkPathPattern, false}, {"notPaths", o.GetNotPaths(), checkPathPattern, false},
	}
}

// validateCriteria checks the lists of one source or operation, of which one at
// least must say something.
func validateCriteria(c *checker, path string, present bool, criteria []criterion, early bool) {
	if !present {
		c.invalid(path, "missing: want at least one field")
		return
	}
	set := 0
	for _, cr := range criteria {
		at := path + "." + cr.field
		set += len(cr.values)
		warnOpen(c, path, cr.field, len(cr.values), "any")
		validateValues(c, at, cr.values, cr.check)
		if early && cr.late && len(cr.values) > 0 {
			c.invalid(at, "cannot stand under action CUSTOM, which decides before it is known")
		}
	}
	if set == 0 {
		c.invalid(path, "empty: want at least one field with a value")
	}
}

func validateValues(c *checker, path string, values []string, check func(string) error) {
	for i, v := range values {
		if v == "" {
			c.invalid(nth(path, i), "empty: want a value")
		} else if check != nil {
			if err := check(v); err != nil {
				c.invalid(nth(path, i), "%v", err)
			}
		}
	}
}

const maxAccount = 320

// checkAccount checks [namespace/]account.
func checkAccount(s string) error {
	namespace, account, qualified := strings.Cut(s, "/")
	switch {
	case strings.Contains(s, "*"):
		return fmt.Errorf("%q: wildcards are not allowed in a service account", brief(s))
	case len(s) > maxAccount:
		return fmt.Errorf("%q: %d bytes, want at most %d", brief(s), len(s), maxAccount)
	case qualified && (namespace == "" || account == "" || strings.Contains(account, "/")):
		return fmt.Errorf("%q: want account or namespace/account", brief(s))
	}
	return nil
}

// checkTrustDomain checks the name of a trust domain, with one * at an end.
func checkTrustDomain(s string) error {
	if strings.Contains(s, "/") {
		return fmt.Errorf("%q: want a trust domain, without /", brief(s))
	}
	if n := strings.Count(s, "*"); n > 1 || n == 1 && s[0] != '*' && s[len(s)-1] != '*' {
		return fmt.Errorf("%q: want at most one *, at the beginning or the end", brief(s))
	}
	return nil
}

// checkPortText takes 0 as well, which Istio does: no connection has it.
func checkPortText(s string) error {
	if port, err := strconv.ParseUint(s, 10, 32); err != nil || port > 65535 {
		return fmt.Errorf("%q: want 0 to 65535", brief(s))
	}
	return nil
}

// pathLiteral is what may stand between the operators of a path template: RFC
// 3986's pchar without *.
var pathLiteral = regexp.MustCompile(`^[-a-zA-Z0-9._~%!$&'()+,;:@=]+$`)

// checkPathPattern checks a path, or a template of {*}, one segment, and {**}, any number.
func checkPathPattern(s string) error {
	template := strings.Contains(s, "{*}") || strings.Contains(s, "{**}")
	ended := false
	for segment := range strings.SplitSeq(strings.Trim(s, "/"), "/") {
		operator := segment == "{*}" || segment == "{**}"
		switch {
		case operator && ended:
			return fmt.Errorf("%q: %s after {**}, which must be the last operator", brief(s), segment)
		case operator:
			ended = segment == "{**}"
		case strings.ContainsAny(segment, "{}"):
			return fmt.Errorf("%q: segment %q: braces stand for whole segments only, {*} or {**}", brief(s), brief(segment))
		case template && !pathLiteral.MatchString(segment):
			return fmt.Errorf("%q: segment %q of a template: want letters, digits and -._~%%!$&'()+,;:@=", brief(s), brief(segment))
		}
	}
	return nil
}
