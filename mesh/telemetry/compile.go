package telemetry

import (
	"cmp"
	"fmt"

	api "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
)

// A Resource is a Telemetry of telemetry.istio.io.
type Resource struct {
	Namespace, Name string
	Spec            *api.Telemetry
}

// Scope says which resources are about a workload.
type Scope struct {
	Namespace     string            // the workload's. Zero: "default"
	Labels        map[string]string // the workload's
	RootNamespace string            // where resources for all stand. Zero: "istio-system"
}

// A Problem is what is wrong with a resource, or is not obeyed.
type Problem struct {
	Namespace, Name string // of the resource
	Field           string // spec.accessLogging[0].filter.expression
	Message         string
	// Refused says that the resource must not be put in force; else it is obeyed
	// but for this.
	Refused bool
}

// Error is the problem in a line.
func (p Problem) Error() string {
	return fmt.Sprintf("Telemetry %s/%s: %s: %s", p.Namespace, p.Name, p.Field, p.Message)
}

// Compile makes settings of the resources, which stand in the order of their age.
// In force are, the later over the earlier: the oldest without a selector in the
// root namespace, the oldest without one in the workload's, and all in the
// workload's that select it.
//
// Every provider that a resource names stands for what the Config of this process
// names. The Settings hold what can be obeyed even if there are problems.
func Compile(resources []Resource, scope Scope) (*Settings, []Problem) {
	c := &compiler{scope: scope, settings: new(Settings)}
	c.scope.Namespace = cmp.Or(scope.Namespace, "default")
	c.scope.RootNamespace = cmp.Or(scope.RootNamespace, "istio-system")
	for _, r := range c.applicable(resources) {
		c.resource = r
		c.metrics()
		c.tracing()
		c.logging()
	}
	for i := range c.settings.sides {
		c.settings.sides[i].finish()
	}
	return c.settings, c.problems
}

// A compiler goes through the resources, the most general first.
type compiler struct {
	scope    Scope
	resource Resource // the one at hand
	settings *Settings
	problems []Problem
}

func (c *compiler) applicable(resources []Resource) (out []Resource) {
	if c.scope.RootNamespace != c.scope.Namespace {
		out = firstGeneral(resources, c.scope.RootNamespace)
	}
	out = append(out, firstGeneral(resources, c.scope.Namespace)...)
	for _, r := range resources {
		selector := r.Spec.GetSelector().GetMatchLabels()
		if r.Namespace == c.scope.Namespace && len(selector) > 0 && !targeted(r.Spec) && c.selects(selector) {
			out = append(out, r)
		}
	}
	return out
}

// firstGeneral is the oldest resource of a namespace that is about all workloads.
func firstGeneral(resources []Resource, namespace string) []Resource {
	for _, r := range resources {
		if r.Namespace == namespace && len(r.Spec.GetSelector().GetMatchLabels()) == 0 && !targeted(r.Spec) {
			return []Resource{r}
		}
	}
	return nil
}

// targeted: such resources are about gateways and waypoints.
func targeted(t *api.Telemetry) bool { return t.GetTargetRef() != nil || len(t.GetTargetRefs()) > 0 }

func (c *compiler) selects(labels map[string]string) bool {
	for name, value := range labels {
		if got, ok := c.scope.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func (c *compiler) refuse(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.resource.Namespace, c.resource.Name, field, fmt.Sprintf(format, args...), true})
}

func (c *compiler) warn(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.resource.Namespace, c.resource.Name, field, fmt.Sprintf(format, args...), false})
}

// sides are those that a mode is about.
func (c *compiler) sides(mode api.WorkloadMode) []*side {
	switch mode {
	case api.WorkloadMode_CLIENT:
		return []*side{&c.settings.sides[Source]}
	case api.WorkloadMode_SERVER:
		return []*side{&c.settings.sides[Destination]}
	}
	return []*side{&c.settings.sides[Source], &c.settings.sides[Destination]}
}

// expression compiles one. Attributes that there are not are absent, as in Envoy.
func (c *compiler) expression(field, text string) (*cel.Program, error) {
	p, err := cel.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, name := range p.Names() {
		if !cel.Attribute(name) {
			c.warn(field, "no attribute %s: there is none of this name, or none within a process", name)
		}
	}
	return p, nil
}

// providers: they all are this process's own, so there is nothing to choose.
func (c *compiler) providers(field string, refs []*api.ProviderRef) {
	for i, ref := range refs {
		if ref.GetName() == "" {
			c.refuse(fmt.Sprintf("%s.providers[%d].name", field, i), "empty: want a name")
		}
	}
}
