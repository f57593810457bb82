package balancer_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
)

func TestValidateNamesFieldValueAndBound(t *testing.T) {
	distribute := func(from string, to map[string]uint32) balancer.Locality {
		return balancer.Locality{Distribute: []balancer.Distribute{{From: from, To: to}}}
	}
	for _, c := range []struct {
		cfg  balancer.Config
		want string // "" for none
	}{
		{balancer.Config{}, ""},
		{balancer.Config{Policy: balancer.PeakEWMA}, ""},
		{balancer.Config{Policy: 6}, "Policy: policy(6) is unknown"},
		{balancer.Config{MinimumRingSize: 8 << 20}, ""},
		{balancer.Config{MinimumRingSize: 8<<20 + 1}, "MinimumRingSize: 8388609 is above 8388608"},
		{balancer.Config{TableSize: 1}, ""}, // so does Istio
		{balancer.Config{TableSize: 2}, ""},
		{balancer.Config{TableSize: 65536}, "TableSize: 65536 is not a prime"},
		{balancer.Config{TableSize: 5_000_011}, "TableSize: 5000011 is not below 5000011"},
		{balancer.Config{PanicThreshold: 101}, "PanicThreshold: 101 is not in 0 to 100"},
		{balancer.Config{PanicThreshold: -1}, "PanicThreshold: -1 is not in 0 to 100"},
		{balancer.Config{Warmup: balancer.Warmup{Duration: time.Microsecond}}, "Warmup.Duration: 1µs is below 1ms"},
		{balancer.Config{Warmup: balancer.Warmup{MinimumPercent: 101}}, "Warmup.MinimumPercent: 101 is not in 0 to 100"},
		{balancer.Config{Warmup: balancer.Warmup{Aggression: -1}}, "Warmup.Aggression: -1 is not positive"},
		{balancer.Config{Locality: distribute("us/*", map[string]uint32{"*": 100})}, ""},
		{balancer.Config{Locality: distribute("us//a", map[string]uint32{"*": 100})}, `Locality.Distribute.From: "us//a" is not`},
		{balancer.Config{Locality: distribute("us", map[string]uint32{"*/a": 100})}, `Locality.Distribute.To: "*/a" is not`},
		{balancer.Config{Locality: distribute("us", map[string]uint32{"us": 60, "eu": 30})}, "the percentages sum to 90, not 100"},
		{balancer.Config{Locality: distribute("us-*", map[string]uint32{"us/a/b/c": 100})}, ""}, // Istio accepts both
		{balancer.Config{Locality: balancer.Locality{FailoverRegions: []balancer.RegionFailover{{From: "us", To: "us"}}}}, `from and to are both "us"`},
		{balancer.Config{Locality: balancer.Locality{FailoverRegions: []balancer.RegionFailover{{From: "us/a", To: "eu"}}}}, "regions have no / or *"},
	} {
		err := c.cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

func TestValidateNamesAllFaultsAtOnce(t *testing.T) {
	err := balancer.Config{Policy: 9, PanicThreshold: 200, TableSize: 4}.Validate()
	if got := strings.Count(err.Error(), "balancer: "); got != 3 {
		t.Errorf("%d faults in %q, want 3", got, err)
	}
}

func TestDistributeAndFailoverRegionsExcludeEachOther(t *testing.T) {
	l := balancer.Locality{
		Distribute:      []balancer.Distribute{{From: "us", To: map[string]uint32{"us": 100}}},
		FailoverRegions: []balancer.RegionFailover{{From: "us", To: "eu"}},
	}
	if err := (balancer.Config{Locality: l}).Validate(); err == nil {
		t.Error("both are accepted")
	}
}

// A rule that slipped through must not take the process down.
func TestWhatIsNotValidStartsAsTheZeroConfig(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.Maglev, TableSize: 4}, endpoints(2))
	if got := b.Snapshot(start).Policy; got != balancer.LeastRequest || b.Pick(pick{}) == nil {
		t.Errorf("policy is %v", got)
	}
}

func TestPoliciesHaveNames(t *testing.T) {
	var got []string
	for _, p := range policies {
		got = append(got, p.String())
	}
	want := []string{"least request", "round robin", "random", "ring hash", "maglev", "peak EWMA"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
}
