package plan

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// expanded is a route as it stands after delegation. Its short host names belong
// to namespace.
type expanded struct {
	spec      *networking.HTTPRoute
	namespace string
}

// expand replaces a delegating route by the routes of its delegate. A delegate
// that is missing, or not exported to the root's namespace, makes the route
// disappear; the others stay.
func (p *Plan) expand(root *rules.VirtualService, spec *networking.HTTPRoute) []expanded {
	if spec.Delegate == nil {
		return []expanded{{spec, root.Namespace}}
	}
	ref := objectName{or(spec.Delegate.Namespace, root.Namespace), spec.Delegate.Name}
	place, ok := p.delegates[ref]
	if !ok {
		return nil
	}
	delegate := p.set.VirtualServices[place]
	if _, ok := visibility(delegate.Spec.ExportTo, delegate.Namespace, root.Namespace); !ok {
		return nil
	}
	var out []expanded
	spec = p.qualified(spec, root.Namespace)
	for _, leaf := range delegate.Spec.Http {
		if merged := mergeDelegate(spec, leaf); merged != nil {
			out = append(out, expanded{merged, delegate.Namespace})
		}
	}
	return out
}

// qualified writes out the hosts that a delegate may inherit: they belong to the
// namespace of the root.
func (p *Plan) qualified(spec *networking.HTTPRoute, namespace string) *networking.HTTPRoute {
	if spec.Mirror == nil && len(spec.Mirrors) == 0 {
		return spec
	}
	out := proto.Clone(spec).(*networking.HTTPRoute)
	if m := out.Mirror; m != nil {
		m.Host = p.names.canonical(m.Host, namespace)
	}
	for _, m := range out.Mirrors {
		m.Destination.Host = p.names.canonical(m.Destination.Host, namespace)
	}
	return out
}

// mergeDelegate returns nil if the matches of the two cannot both hold. What the
// delegate leaves out it inherits.
func mergeDelegate(root, leaf *networking.HTTPRoute) *networking.HTTPRoute {
	matches, ok := mergeMatches(root.Match, leaf.Match)
	if !ok {
		return nil
	}
	out := proto.Clone(leaf).(*networking.HTTPRoute)
	out.Match = matches
	out.Name = joinNames(root.Name, leaf.Name)
	inherit(out, root)
	return out
}

func inherit(out, root *networking.HTTPRoute) {
	to, from := out.ProtoReflect(), root.ProtoReflect()
	for _, name := range []string{
		"rewrite", "direct_response", "timeout", "retries", "fault", "mirror", "mirrors",
		"mirror_percent", "mirror_percentage", "cors_policy", "headers",
	} {
		field := to.Descriptor().Fields().ByTextName(name)
		if !to.Has(field) && from.Has(field) {
			to.Set(field, from.Get(field))
		}
	}
}

func joinNames(root, leaf string) string {
	return strings.Trim(root+"-"+leaf, "-")
}

// mergeMatches pairs every match of the delegate with every compatible one of
// the root. A delegate match without any partner drops the whole route.
func mergeMatches(root, leaf []*networking.HTTPMatchRequest) ([]*networking.HTTPMatchRequest, bool) {
	if len(root) == 0 {
		return leaf, true
	}
	if len(leaf) == 0 {
		return root, true
	}
	var out []*networking.HTTPMatchRequest
	for _, l := range leaf {
		before := len(out)
		for _, r := range root {
			if compatible(r, l) {
				out = append(out, mergeMatch(r, l))
			}
		}
		if len(out) == before {
			return nil, false
		}
	}
	return out, true
}

func compatible(root, leaf *networking.HTTPMatchRequest) bool {
	return root.IgnoreUriCase == leaf.IgnoreUriCase &&
		(root.Port == 0 || leaf.Port == 0 || root.Port == leaf.Port) &&
		(root.SourceNamespace == "" || root.SourceNamespace == leaf.SourceNamespace) &&
		noContradiction(root.SourceLabels, leaf.SourceLabels) &&
		gatewaysWithin(root.Gateways, leaf.Gateways) &&
		stringsAgree(root.Uri, leaf.Uri) && stringsAgree(root.Scheme, leaf.Scheme) &&
		stringsAgree(root.Method, leaf.Method) && stringsAgree(root.Authority, leaf.Authority) &&
		mapsAgree(root.Headers, leaf.Headers) && mapsAgree(root.WithoutHeaders, leaf.WithoutHeaders) &&
		mapsAgree(root.QueryParams, leaf.QueryParams)
}

func noContradiction(root, leaf map[string]string) bool {
	for k, v := range leaf {
		if other, ok := root[k]; ok && other != v {
			return false
		}
	}
	return true
}

func gatewaysWithin(root, leaf []string) bool {
	if len(root) == 0 {
		return true
	}
	return !slices.ContainsFunc(leaf, func(g string) bool { return !slices.Contains(root, g) })
}

func mapsAgree(root, leaf map[string]*networking.StringMatch) bool {
	for name, l := range leaf {
		if r, ok := root[name]; ok && !stringsAgree(r, l) {
			return false
		}
	}
	return true
}

// stringsAgree: what the delegate asks for must lie within what the root lets
// through, as far as that can be told from the text.
func stringsAgree(root, leaf *networking.StringMatch) bool {
	if root == nil || leaf == nil {
		return true
	}
	if root.GetRegex() != "" || leaf.GetRegex() != "" {
		return false
	}
	switch r := root.MatchType.(type) {
	case *networking.StringMatch_Exact:
		l, ok := leaf.MatchType.(*networking.StringMatch_Exact)
		return ok && l.Exact == r.Exact
	case *networking.StringMatch_Prefix:
		switch l := leaf.MatchType.(type) {
		case *networking.StringMatch_Exact:
			return strings.HasPrefix(l.Exact, r.Prefix)
		case *networking.StringMatch_Prefix:
			return strings.HasPrefix(l.Prefix, r.Prefix)
		}
	}
	return leaf.MatchType == nil && root.MatchType == nil
}

// mergeMatch: where both say something the delegate's word stands, and maps are
// united; that is what merging the messages does, but for the list of gateways.
func mergeMatch(root, leaf *networking.HTTPMatchRequest) *networking.HTTPMatchRequest {
	out := proto.Clone(root).(*networking.HTTPMatchRequest)
	proto.Merge(out, leaf)
	out.Name = joinNames(root.Name, leaf.Name)
	if len(leaf.Gateways) > 0 {
		out.Gateways = leaf.Gateways
	}
	return out
}
