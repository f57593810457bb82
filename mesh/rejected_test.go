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
