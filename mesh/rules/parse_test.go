package rules_test

import (
	"os"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestLoadsTheSeedFilesAsTheyStand(t *testing.T) {
	set, err := rules.Parse("testdata/reviews-virtualservice.yaml", read(t, "testdata/reviews-virtualservice.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	vs := set.VirtualServices[0]
	if got := vs.LineOf("spec.http[0].route[1].weight"); got != 19 {
		t.Errorf("line of the second weight = %d, want 19", got)
	}
	t.Log(set.Warnings, vs.Meta, set.Version, vs.Spec)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
