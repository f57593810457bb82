package mesh

import (
	"slices"

	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// settings are what the Telemetry resources of a set come to. The loop of the
// rules has them to itself.
type settings struct {
	of       []*rules.Telemetry
	compiled *telemetry.Settings
}

// settingsOf compiles the Telemetry resources of a set, unless they are those of
// the one before: new settings make all edges begin anew. The error is
// rules.Faults.
func (m *Mesh) settingsOf(set *rules.Set) (*telemetry.Settings, error) {
	if have := m.settings; have.compiled != nil && slices.Equal(have.of, set.Telemetries) {
		return have.compiled, nil
	}
	compiled, faults := m.compileTelemetries(set)
	if len(faults) == 0 {
		m.settings = settings{set.Telemetries, compiled}
	}
	return compiled, faults.Err()
}

func (m *Mesh) compileTelemetries(set *rules.Set) (*telemetry.Settings, rules.Faults) {
	var resources []telemetry.Resource
	for _, t := range set.Telemetries {
		resources = append(resources, telemetry.Resource{Namespace: t.Namespace, Name: t.Name, Spec: t.Spec})
	}
	w := m.config.Workload
	compiled, problems := telemetry.Compile(resources, telemetry.Scope{Namespace: w.Namespace, Labels: w.Labels, RootNamespace: m.config.RootNamespace})
	var faults rules.Faults
	for _, p := range problems {
		if p.Refused { // the rest are warnings, which the set has already
			faults = append(faults, refusedTelemetry(set, p))
		}
	}
	return compiled, faults
}

func refusedTelemetry(set *rules.Set, p telemetry.Problem) rules.Fault {
	f := rules.Fault{Severity: rules.Refused, Kind: "Telemetry", Namespace: p.Namespace, Name: p.Name, Field: p.Field, Message: p.Message}
	for _, t := range set.Telemetries {
		if t.Namespace == p.Namespace && t.Name == p.Name {
			f.File, f.Line = t.File, t.LineOf(p.Field)
		}
	}
	return f
}
