package mesh

import (
	"net/url"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// Each byte in each place of a path is seen for what it is, also beside others.
func TestTheShortWayToAPathIsTheLongOne(t *testing.T) {
	for _, path := range []string{"/", "/reviews", "/reviews/7", "/api/v1/Products/0123456789/and-more_of/them", "//x/", "*", "x/y", ""} {
		for i := range len(path) {
			for c := range 256 {
				for _, next := range []string{path[i+1:], "." + path[i+1:], "/" + path[i+1:]} {
					u := &url.URL{Path: path[:i] + string([]byte{byte(c)}) + next}
					if got, want := pathOf(u), plan.NormalizePath(u.EscapedPath()); got != want {
						t.Fatalf("%q: got %q, want %q", u.Path, got, want)
					}
				}
			}
		}
	}
}
