package discovery

import (
	"encoding/json"
	"testing"
)

// What the strict decoder accepts is valid, and means the same to the lenient one.
func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`{"services": {"a": [{"address": "a:1", "labels": {"x": "y"}, "locality": "eu", "weight": 2, "health": "draining", "identity": "spiffe://a/b"}]}}`))
	f.Add([]byte(" \n{\"services\": {\"a\": [], \"a\": [{}]}}"))
	f.Add([]byte(`{"services": null}`))
	f.Add([]byte("[\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		services, err := parseFile(text)
		if err != nil {
			return
		}
		if err := checkServices(services); err != nil {
			t.Error(err)
		}
		var lenient struct {
			Services map[string][]struct{ Address string }
		}
		if err := json.Unmarshal(text, &lenient); err != nil || len(lenient.Services) != len(services) {
			t.Errorf("encoding/json reads %d services, %v; strictly there are %d", len(lenient.Services), err, len(services))
		}
		for name, endpoints := range services {
			for i, e := range endpoints {
				if e.Address != lenient.Services[name][i].Address {
					t.Errorf("%s: endpoint %d is %q, and %q to encoding/json", name, i, e.Address, lenient.Services[name][i].Address)
				}
			}
		}
	})
}
