package telemetry

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
)

// Settings are what Telemetry resources come to for one workload: Compile makes
// them. They are immutable; the zero Settings are the defaults.
type Settings struct {
	sides [2]side // by Reporter
}

// A side is what holds for the requests that a workload sends, or for those that
// it serves.
type side struct {
	metrics  [metricCount]metricRule
	off      bool          // that all metrics are
	tagged   bool          // that some tag is an expression
	interval time.Duration // of what is told of connections; 0: the default
	tracing  tracingRule
	logging  loggingRule
}

// A metricRule is what becomes of one metric.
type metricRule struct {
	disabled bool
	tags     []tag // by name
}

// A tag replaces a label, or takes it away.
type tag struct {
	name  string
	value *expression // nil: it is taken away
}

// A tracingRule is what becomes of traces.
type tracingRule struct {
	decided       bool    // that sampling is written
	sampling      float64 // percent of the requests that have no trace yet
	noSpans       bool
	noPropagation bool
	noIstioTags   bool
	tags          []customTag
}

// hit rolls for the sampling.
func (r *tracingRule) hit() bool { return r.sampling > 0 && roll(r.sampling) }

// roll is certain of a hundred percent.
func roll(percent float64) bool { return rand.Float64()*100 < percent }

// A customTag is an attribute of spans.
type customTag struct {
	name   string
	value  string // literal, or the header's default
	header string // "": none
}

// A loggingRule is what is logged.
type loggingRule struct {
	decided  bool // that a rule says whether
	disabled bool
	filter   *cel.Program // nil: everything
}

// tagsOf is what the expressions of a side's tags come to for a request.
func (s *side) tagsOf(env *environment) string {
	var b strings.Builder
	for i := range s.metrics {
		for _, t := range s.metrics[i].tags {
			if t.value != nil {
				b.WriteString(t.value.text(env))
				b.WriteByte(0)
			}
		}
	}
	return b.String()
}
