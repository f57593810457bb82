package fleet_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// forJason is the third thing to try while the tour runs.
const forJason = `  http:
    - match:
        - headers:
            end-user:
              exact: jason
      route:
        - destination:
            host: reviews
            subset: v3
`

// edited is a copy of the tour's rules, with a file of them changed.
func edited(t *testing.T, name, old, to string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../rules")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s: no %q: %v", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pageFor fetches the page as a user.
func pageFor(t *testing.T, url, user string) (version, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(fleet.UserHeader, user)
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", resp.Status, err, text)
	}
	return resp.Header.Get(fleet.VersionHeader), string(text)
}

func TestOneUserIsGivenTheNewestVersion(t *testing.T) {
	f, err := fleet.Start(t.Context(), fleet.Config{Rules: edited(t, "reviews-virtualservice.yaml", "  http:\n", forJason)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	for range 20 {
		version, body := pageFor(t, f.Page(), "jason")
		if version != "v3" || !strings.Contains(body, `<b style="color:red">★★★★</b>`) {
			t.Fatalf("jason got %s: %s", version, body)
		}
		if version, _ := pageFor(t, f.Page(), "alice"); version == "v3" {
			t.Fatal("alice got v3 too")
		}
	}
}

// Each process tells of itself, as it would with a main of its own.
func TestEachServerIsAskedForItsTelemetry(t *testing.T) {
	var asked []string
	f, err := fleet.Start(t.Context(), fleet.Config{Rules: "../rules", Telemetry: func(service, version string) telemetry.Config {
		asked = append(asked, service+" "+version)
		return telemetry.Config{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	want := []string{"productpage v1", "details v1", "reviews v1", "reviews v1", "reviews v2", "reviews v2", "reviews v3", "reviews v3", "ratings v1"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked of %q, want %q", asked, want)
	}
}

func TestAFleetThatCannotStartLeavesNothingBehind(t *testing.T) {
	dir := edited(t, "details.yaml", "attempts: 3", "attempts: many")
	f, err := fleet.Start(t.Context(), fleet.Config{Rules: dir})
	if err == nil || f != nil || !strings.Contains(err.Error(), "productpage v1: ") || !strings.Contains(err.Error(), "details.yaml:") {
		t.Errorf("%v, %v: want no fleet, and who could not start by which file", f, err)
	}
}

func TestAFleetMayBeClosedTwice(t *testing.T) {
	f, err := fleet.Start(t.Context(), fleet.Config{Rules: "../rules"})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	f.Close()
}
