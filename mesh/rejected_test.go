package mesh_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestTheLogClaimsNoRulesInForceWhereTheFirstAreRejected(t *testing.T) {
	var diary bytes.Buffer
	_, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static("kind: VirtualService"), Logger: slog.New(slog.NewTextHandler(&diary, nil))})
	if err == nil || !strings.Contains(diary.String(), "rules rejected; there are none in force") {
		t.Errorf("error %v, log %s", err, &diary)
	}
}

// An empty directory, or one of other files, is a valid set of rules, and all policies
// are gone: their number is what shows it.
func TestTheLogSaysHowManyRulesAreInForce(t *testing.T) {
	var diary strings.Builder
	m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(oneRule), Logger: slog.New(slog.NewTextHandler(&diary, nil))})
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if !strings.Contains(diary.String(), `msg="rules in force"`) || !strings.Contains(diary.String(), " objects=1") {
		t.Errorf("the log says %q", diary.String())
	}
}

const oneRule = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}}"
