package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forJason is the third thing to try in doc.go.
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

// pageFor fetches the page as a user.
func pageFor(t *testing.T, url, user string) (version, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(userHeader, user)
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
	return resp.Header.Get(versionHeader), string(text)
}

func TestOneUserIsGivenTheNewestVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("rules")); err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, landmark), "  http:\n", forJason)
	fleet, err := startFleet(t.Context(), dir, "", observer{newTally(0), newScreen(io.Discard, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.close()

	for range 20 {
		version, body := pageFor(t, fleet.url(), "jason")
		if version != "v3" || !strings.Contains(body, `<b style="color:red">★★★★</b>`) {
			t.Fatalf("jason got %s: %s", version, body)
		}
		if version, _ := pageFor(t, fleet.url(), "alice"); version == "v3" {
			t.Fatal("alice got v3 too")
		}
	}
}
