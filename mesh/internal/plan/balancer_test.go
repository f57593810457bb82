package plan_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

func TestPoliciesOfTheBalancer(t *testing.T) {
	for spec, want := range map[string]balancer.Config{
		"":                                                    {Policy: balancer.LeastRequest},
		"loadBalancer: {}":                                    {Policy: balancer.LeastRequest},
		"loadBalancer: {simple: UNSPECIFIED}":                 {Policy: balancer.LeastRequest},
		"loadBalancer: {simple: LEAST_CONN}":                  {Policy: balancer.LeastRequest},
		"loadBalancer: {simple: LEAST_REQUEST}":               {Policy: balancer.LeastRequest},
		"loadBalancer: {simple: RANDOM}":                      {Policy: balancer.Random},
		"loadBalancer: {simple: ROUND_ROBIN}":                 {Policy: balancer.RoundRobin},
		"loadBalancer: {consistentHash: {}}":                  {Policy: balancer.RingHash},
		"loadBalancer: {consistentHash: {httpHeaderName: x}}": {Policy: balancer.RingHash},
		"loadBalancer: {consistentHash: {httpHeaderName: x, ringHash: {minimumRingSize: 9}}}": {Policy: balancer.RingHash, MinimumRingSize: 9},
		"loadBalancer: {consistentHash: {httpHeaderName: x, minimumRingSize: 8}}":             {Policy: balancer.RingHash, MinimumRingSize: 8},
		"loadBalancer: {consistentHash: {httpHeaderName: x, maglev: {tableSize: 7}}}":         {Policy: balancer.Maglev, TableSize: 7},
		"loadBalancer: {warmup: {duration: 30s}}":                                             {Warmup: balancer.Warmup{Duration: 30 * time.Second}},
		"loadBalancer: {warmup: {duration: 30s, minimumPercent: 20, aggression: 2}}":          {Warmup: balancer.Warmup{Duration: 30 * time.Second, MinimumPercent: 20, Aggression: 2}},
		"loadBalancer: {warmupDurationSecs: 20s}":                                             {Warmup: balancer.Warmup{Duration: 20 * time.Second}},
		"loadBalancer: {warmupDurationSecs: 20s, warmup: {duration: 30s}}":                    {Warmup: balancer.Warmup{Duration: 30 * time.Second}}, // ignored beside warmup
		"outlierDetection: {minHealthPercent: 40}":                                            {PanicThreshold: 40, Locality: balancer.Locality{Failover: true}},
		"outlierDetection: {}": {Locality: balancer.Locality{Failover: true}}, // panic never, failover by place
	} {
		if got := policy(t, spec).Balancer; !reflect.DeepEqual(got, want) {
			t.Errorf("{%s}:\n got %+v\nwant %+v", spec, got, want)
		}
	}
}

func TestPassthroughDialsTheAddressInTheURL(t *testing.T) {
	p := compile(t, destinationRule("d", "host: a.com\ntrafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"))
	for port, want := range map[uint16]string{8080: "a.com:8080", 0: "a.com:80", 443: "a.com:443"} {
		c := p.Cluster(plan.ClusterKey{Host: "a.com", Port: port})
		if got := c.Original().Address; !c.Passthrough || got != want {
			t.Errorf("port %d: passthrough %v to %s, want %s", port, c.Passthrough, got, want)
		}
	}
	if policy(t, "loadBalancer: {simple: RANDOM}").Passthrough {
		t.Error("RANDOM passes through")
	}
}

func TestLocalities(t *testing.T) {
	here := discovery.Locality{Region: "r", Zone: "z"}
	labels := map[string]string{"app": "web"}
	place := func(l balancer.Locality) balancer.Locality {
		l.Local, l.LocalLabels = here, labels
		return l
	}
	const outlier = "outlierDetection: {}, "
	for spec, want := range map[string]balancer.Locality{
		"":      place(balancer.Locality{}),
		outlier: place(balancer.Locality{Failover: true}),
		outlier + "loadBalancer: {localityLbSetting: {enabled: false}}": {}, // everything off
		outlier + "loadBalancer: {localityLbSetting: {enabled: true}}":  place(balancer.Locality{Failover: true}),
		"loadBalancer: {localityLbSetting: {failover: [{from: r, to: s}]}}": place(balancer.Locality{
			FailoverRegions: []balancer.RegionFailover{{From: "r", To: "s"}}}), // no failover without outlier detection
		outlier + "loadBalancer: {localityLbSetting: {failover: [{from: r, to: s}]}}": place(balancer.Locality{
			Failover: true, FailoverRegions: []balancer.RegionFailover{{From: "r", To: "s"}}}),
		outlier + "loadBalancer: {localityLbSetting: {failoverPriority: [app, tier=x]}}": place(balancer.Locality{
			Failover: true, FailoverPriority: []string{"app", "tier=x"}}),
		"loadBalancer: {localityLbSetting: {distribute: [{from: r/z, to: {r/z: 80, s: 20}}]}}": place(balancer.Locality{
			Distribute: []balancer.Distribute{{From: "r/z", To: map[string]uint32{"r/z": 80, "s": 20}}}}), // works without outlier detection
		"loadBalancer: {zoneAwareLbSetting: {}}": place(balancer.Locality{Failover: true, RegionsOnly: true}), // without outlier detection too
		"loadBalancer: {zoneAwareLbSetting: {failover: [{from: r, to: s}]}}": place(balancer.Locality{
			Failover: true, RegionsOnly: true, FailoverRegions: []balancer.RegionFailover{{From: "r", To: "s"}}}),
		outlier + "loadBalancer: {zoneAwareLbSetting: {failoverPriority: [app]}}": place(balancer.Locality{Failover: true, RegionsOnly: true, FailoverPriority: []string{"app"}}),
		outlier + "loadBalancer: {zoneAwareLbSetting: {enabled: false}}":          place(balancer.Locality{RegionsOnly: true}),
	} {
		document := destinationRule("d", "host: a.com\ntrafficPolicy: {"+spec+"}")
		if spec == "" {
			document = destinationRule("d", "host: a.com")
		}
		p := plan.Compile(parse(t, document), plan.Options{Workload: plan.Workload{Locality: here, Labels: labels}})
		if got := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80}).Balancer.Locality; !reflect.DeepEqual(got, want) {
			t.Errorf("{%s}:\n got %+v\nwant %+v", spec, got, want)
		}
	}
}
