package telemetry

import (
	"fmt"

	api "istio.io/api/telemetry/v1alpha1"
)

// logging: a later entry replaces those before. One that names neither providers nor
// a filter keeps the filter that its providers have: Istio's mergeLogs.
func (c *compiler) logging() {
	for i, l := range c.resource.Spec.GetAccessLogging() {
		field := fmt.Sprintf("spec.accessLogging[%d]", i)
		c.providers(field, l.GetProviders())
		rule, ok := c.loggingRule(field+".filter.expression", l)
		if !ok {
			continue
		}
		for _, s := range c.sides(l.GetMatch().GetMode()) {
			inherited := s.logging.filter
			if s.logging = rule; l.GetFilter() == nil && len(l.GetProviders()) == 0 {
				s.logging.filter = inherited
			}
		}
	}
}

func (c *compiler) loggingRule(field string, l *api.AccessLogging) (rule loggingRule, ok bool) {
	rule = loggingRule{decided: true, disabled: l.GetDisabled().GetValue()}
	if l.GetFilter() == nil {
		return rule, true
	}
	p, err := c.expression(field, l.GetFilter().GetExpression())
	if err != nil {
		c.refuse(field, "%q: %v", l.GetFilter().GetExpression(), err)
		return rule, false
	}
	rule.filter = p
	return rule, true
}
