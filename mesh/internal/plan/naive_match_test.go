package plan_test

import (
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// static evaluates what is fixed when routes are built.
func (n naive) static(m *networking.HTTPMatchRequest, port int) bool {
	if m.Port != 0 && int(m.Port) != port {
		return false
	}
	if len(m.Gateways) > 0 {
		return slices.Contains(m.Gateways, "mesh")
	}
	for k, v := range m.SourceLabels {
		if have, ok := n.workload.Labels[k]; !ok || have != v {
			return false
		}
	}
	return m.SourceNamespace == "" || m.SourceNamespace == n.workload.Namespace
}

// matches: "All present fields must match."
func matches(m *networking.HTTPMatchRequest, r *plan.Request) bool {
	if m.Uri != nil && !uriMatches(m.Uri, r.Path, m.IgnoreUriCase) {
		return false
	}
	if !present(m.Scheme, r.Scheme) || !present(m.Method, r.Method) || !present(m.Authority, r.Authority) {
		return false
	}
	for name, sm := range m.Headers {
		if value, ok := headerOf(r, name); !ok || !matchesString(sm, value) {
			return false
		}
	}
	for name, sm := range m.WithoutHeaders {
		if value, ok := headerOf(r, name); isPresence(sm) && ok || !isPresence(sm) && matchesString(sm, value) {
			return false
		}
	}
	for name, sm := range m.QueryParams {
		if value, ok := queryOf(r, name); !ok || !matchesString(sm, value) {
			return false
		}
	}
	return true
}

func present(sm *networking.StringMatch, value string) bool {
	return sm == nil || matchesString(sm, value)
}

func uriMatches(sm *networking.StringMatch, path string, fold bool) bool {
	if !fold || sm.GetRegex() != "" || isPresence(sm) {
		return matchesString(sm, path)
	}
	if exact, ok := sm.MatchType.(*networking.StringMatch_Exact); ok {
		return strings.EqualFold(path, exact.Exact)
	}
	return strings.HasPrefix(strings.ToLower(path), strings.ToLower(sm.GetPrefix()))
}

func isPresence(sm *networking.StringMatch) bool {
	return sm.GetMatchType() == nil || sm.GetRegex() == "*"
}

func matchesString(sm *networking.StringMatch, value string) bool {
	if isPresence(sm) {
		return true
	}
	switch m := sm.MatchType.(type) {
	case *networking.StringMatch_Exact:
		return value == m.Exact
	case *networking.StringMatch_Prefix:
		return strings.HasPrefix(value, m.Prefix)
	}
	re := regexp.MustCompile(sm.GetRegex())
	re.Longest()
	at := re.FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}

// headerOf: "header lookup is case-insensitive; several values of one header are
// joined with `,`".
func headerOf(r *plan.Request, name string) (string, bool) {
	pseudo := map[string]string{":authority": r.Authority, "host": r.Authority, ":method": r.Method, ":scheme": r.Scheme, ":path": r.PathAndQuery()}
	if v, ok := pseudo[strings.ToLower(name)]; ok {
		return v, true
	}
	for key, values := range r.Header {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return strings.Join(values, ","), true
		}
	}
	return "", false
}

// queryOf: "first value of the parameter, not URL-decoded".
func queryOf(r *plan.Request, name string) (string, bool) {
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key == name {
			return value, true
		}
	}
	return "", false
}
