package rules_test

import (
	"encoding/json"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestFaultsReadAsLinesAndAsJSON(t *testing.T) {
	for _, c := range []struct {
		fault      rules.Fault
		line, json string
	}{
		{rules.Fault{File: "a.yaml", Line: 3, Kind: "VirtualService", Namespace: "n", Name: "a", Field: "spec.hosts", Message: "m", Severity: rules.Invalid},
			"a.yaml:3: VirtualService n/a: spec.hosts: m",
			`{"severity":"invalid","file":"a.yaml","line":3,"kind":"VirtualService","namespace":"n","name":"a","field":"spec.hosts","message":"m"}`},
		{rules.Fault{File: "a.yaml", Message: "m", Severity: rules.Refused}, "a.yaml: m", `{"severity":"refused","file":"a.yaml","message":"m"}`},
		{rules.Fault{Message: "m"}, "m", `{"severity":"warning","message":"m"}`},
	} {
		if got := c.fault.String(); got != c.line {
			t.Errorf("got %s, want %s", got, c.line)
		}
		if got, err := json.Marshal(c.fault); err != nil || string(got) != c.json {
			t.Errorf("got %s, %v, want %s", got, err, c.json)
		}
	}
}

func TestFaultsAsAnErrorLeaveOutWarnings(t *testing.T) {
	faults := rules.Faults{{Message: "a"}, {Message: "b", Severity: rules.Refused}, {Message: "c", Severity: rules.Invalid}}
	if got := faults[:1].Error(); got != "a" {
		t.Errorf("warnings alone are told as %q", got)
	}
	if got := faults.Err().Error(); got != "b\nc" {
		t.Errorf("error = %q", got)
	}
	if err := faults[:1].Err(); err != nil {
		t.Errorf("error of a warning = %v", err)
	}
}
