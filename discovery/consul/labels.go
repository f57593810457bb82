package consul

import (
	"regexp"
	"strings"

	"github.com/hashicorp/consul/api"
)

// versionTag is how a tag looks that is a version: v1, v2.3.
var versionTag = regexp.MustCompile(`^v[0-9]+(\.[0-9]+)*$`)

// labels are what subsets select by. A tag name=value is that label, any other
// tag is a label with the value true, and meta overrides both. Where neither says
// which version this is, and one tag looks like it, that is the version.
func labels(s *api.AgentService) map[string]string {
	if len(s.Tags)+len(s.Meta) == 0 {
		return nil
	}
	out := make(map[string]string, len(s.Tags)+len(s.Meta)+1)
	versions := ""
	for _, tag := range s.Tags {
		name, value, ok := strings.Cut(tag, "=")
		if !ok {
			value = "true"
		}
		if versionTag.MatchString(tag) {
			versions += " " + tag
		}
		setLabel(out, name, value)
	}
	for name, value := range s.Meta {
		setLabel(out, name, value)
	}
	if _, ok := out["version"]; !ok && strings.Count(versions, " ") == 1 {
		out["version"] = versions[1:]
	}
	return out
}

// setLabel leaves out what has no name: nothing can select by it.
func setLabel(labels map[string]string, name, value string) {
	if name != "" {
		labels[name] = value
	}
}
