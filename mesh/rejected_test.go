package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
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

// silent is a source of rules, of a credential and of access that never says anything.
type silent[T any] struct{}

func (silent[T]) Watch(ctx context.Context) iter.Seq2[T, error] {
	return func(func(T, error) bool) { <-ctx.Done() }
}

func TestAStartThatFailsNamesWhatItWaitedFor(t *testing.T) {
	for want, c := range map[string]mesh.Config{
		"mesh: Identity: ": {Identity: silent[tlsid.Credential]{}},
		"mesh: Access: ":   {Access: silent[authz.Checker]{}},
		"mesh: Rules: ":    {Rules: silent[*rules.Set]{}},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if _, err := mesh.New(ctx, c); err == nil || err.Error() != want+"enough" {
			t.Errorf("got %v, want %senough", err, want)
		}
	}
	_, err := mesh.New(t.Context(), mesh.Config{Identity: tlsid.Files{Certificate: "a.pem", Key: "a.key", Roots: "roots.pem"}})
	if err == nil || !strings.HasPrefix(err.Error(), "mesh: Identity: ") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want which files there are not, and what for", err)
	}
}

const oneRule = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}}"
