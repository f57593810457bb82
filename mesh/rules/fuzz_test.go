package rules_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Whatever the bytes, Parse returns, with a Set or with Faults that have a line
// and words. What passes is read again from what Istio's types make of it, and
// means the same.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/faults/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, name := range files {
			f.Add(read(f, name), false)
		}
	}
	f.Add([]byte(`{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"a"},"spec":{"host":"a"}}`), true)
	f.Add([]byte(rule("a", "{host: &a b, subsets: [{name: *a, labels: {<<: {c: d}}}]}")), false)
	f.Add([]byte(bomb(3, "x")), false)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "a.yaml"
		if isJSON {
			name = "a.json"
		}
		set, err := rules.Parse(name, data)
		if err != nil {
			checkFaults(t, err)
			return
		}
		for _, dr := range set.DestinationRules {
			checkSpec(t, dr.Spec, new(networking.DestinationRule))
		}
		for _, vs := range set.VirtualServices {
			checkSpec(t, vs.Spec, new(networking.VirtualService))
		}
		for _, p := range set.AuthorizationPolicies {
			checkSpec(t, p.Spec, new(security.AuthorizationPolicy))
		}
		for _, p := range set.PeerAuthentications {
			checkSpec(t, p.Spec, new(security.PeerAuthentication))
		}
		for _, p := range set.RequestAuthentications {
			checkSpec(t, p.Spec, new(security.RequestAuthentication))
		}
		for _, p := range set.Telemetries {
			checkSpec(t, p.Spec, new(telemetry.Telemetry))
		}
	})
}

func checkFaults(t *testing.T, err error) {
	faults, ok := err.(rules.Faults)
	if !ok || faults.Worst() == rules.Warning {
		t.Fatalf("%T: %v", err, err)
	}
	for _, f := range faults {
		if f.File == "" || f.Line < 1 || f.Message == "" {
			t.Fatalf("a fault without file, line or words: %#v", f)
		}
		if strings.Contains(f.Message, "its decoder rejects it") {
			t.Fatalf("the walk let pass what the decoder rejects: %v", f)
		}
	}
}

func checkSpec(t *testing.T, spec, again proto.Message) {
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, again); err != nil || !proto.Equal(spec, again) {
		t.Fatalf("%v became %v: %v", spec, again, err)
	}
}
