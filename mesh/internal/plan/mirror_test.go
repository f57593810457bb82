package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMirrorsAndTheirShares(t *testing.T) {
	for spec, want := range map[string]string{
		"":                      "",
		"mirror: {host: m.com}": "m.com 1000000", // all, unless said otherwise
		"mirror: {host: m.com}, mirrorPercentage: {value: 0.5}":                                          "m.com 5000",
		"mirror: {host: m.com}, mirrorPercentage: {value: 0}":                                            "",
		"mirror: {host: m.com}, mirrorPercentage: {value: 0.00001}":                                      "", // truncated
		"mirror: {host: m.com}, mirrorPercent: 7":                                                        "m.com 70000",
		"mirror: {host: m.com}, mirrorPercent: 0":                                                        "",
		"mirror: {host: m.com}, mirrorPercent: 7, mirrorPercentage: {value: 9}":                          "m.com 90000",
		"mirrors: [{destination: {host: m.com}}, {destination: {host: n.com}, percentage: {value: 10}}]": "m.com 1000000, n.com 100000",
		"mirrors: [{destination: {host: m.com}, percentage: {value: 0}}]":                                "",
		"mirror: {host: short, subset: v2, port: {number: 81}}":                                          "short.default.svc.cluster.local 1000000",
	} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{"+spec+strings.Repeat(", ", min(1, len(spec)))+"route: [{destination: {host: b.com}}]}]"))
		var got []string
		for _, m := range route(t, p, "http://a.com/").Mirrors {
			got = append(got, fmt.Sprintf("%s %d", m.Route.Destinations[0].Host, m.Fraction))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("{%s}: %q, want %q", spec, s, want)
		}
	}
}

func TestAMirrorIsARouteOfItsOwnWithoutRetries(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{timeout: 3s, retries: {attempts: 5}, mirror: {host: m.com, subset: v2, port: {number: 81}}, route: [{destination: {host: b.com}}]}]"))
	m := route(t, p, "http://a.com/").Mirrors[0].Route
	d := m.Choose(0)
	if m.Retry.Attempts != 0 || m.Timeout != 3*time.Second || d.Subset != "v2" || d.Port != 81 || m.Fault.AbortFraction != 0 {
		t.Errorf("mirror %+v to %+v", m, d)
	}
}

func TestAnswersOfRulesAreNotMirrored(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{mirror: {host: m.com}, redirect: {uri: /x}}]"))
	if m := route(t, p, "http://a.com/").Mirrors; len(m) > 0 {
		t.Errorf("mirrors %+v", m)
	}
}
