package rules

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A durationRule says what is wrong with a duration; "" for nothing.
type durationRule func(time.Duration) string

// durationRules are the fields that do not follow wholeMilliseconds.
var durationRules = map[protoreflect.FullName]durationRule{
	// 0s, and whatever is cut to it, means that idle connections stay.
	"ConnectionPoolSettings.TCPSettings.idle_timeout": idleOrOff,
	"CorsPolicy.max_age":                              wholeSeconds,
	"LoadBalancerSettings.warmup_duration_secs":       oneMillisecond,
	"Metrics.reporting_interval":                      oneMillisecond,
	// 0s asks for a session cookie.
	"LoadBalancerSettings.ConsistentHashLB.HTTPCookie.ttl": anyDuration,
	// 0s counts the requests of the moment.
	"TrafficPolicy.RetryBudget.budget_interval": anyDuration,
}

func checkDuration(c *checker, path string, fd protoreflect.FieldDescriptor, m protoreflect.Message) {
	rule, ok := durationRules[shortName(fd)]
	if !ok {
		rule = wholeMilliseconds
	}
	d := m.Interface().(*durationpb.Duration).AsDuration()
	if wrong := rule(d); wrong != "" {
		c.invalid(path, "%s: want %s", d, wrong)
	}
}

// wholeMilliseconds is Istio's rule for every duration: it has no 0 for "off",
// a limit is switched off by leaving the field out.
func wholeMilliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "1ms or more; to switch it off, leave the field out"
	}
	if d%time.Millisecond != 0 {
		return "whole milliseconds"
	}
	return ""
}

func idleOrOff(d time.Duration) string {
	if d.Milliseconds() == 0 {
		return ""
	}
	return wholeMilliseconds(d)
}

func wholeSeconds(d time.Duration) string {
	if wrong := wholeMilliseconds(d); wrong != "" {
		return wrong
	}
	if d%time.Second != 0 {
		return "whole seconds"
	}
	return ""
}

func oneMillisecond(d time.Duration) string {
	if d < time.Millisecond {
		return "1ms or more"
	}
	return ""
}

// anyDuration accepts 0. Istio lets negative ones through to Envoy, which
// refuses them.
func anyDuration(d time.Duration) string {
	if d < 0 {
		return "0s or more"
	}
	return ""
}
