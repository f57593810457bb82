package authz_test

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

// readings are all the ways in which handlers may read a request.
func readings(r authz.Request) (out []*authz.Request) {
	for _, path := range pathReadings(r.Path) {
		for _, host := range []string{r.Host, bareHost(r.Host), strings.TrimSuffix(bareHost(r.Host), ".")} {
			for _, roles := range roleReadings(r.Header["X-Role"]) {
				one := r
				one.Path, one.Host, one.Header = authz.LiteralPath(path), host, map[string][]string{"X-Role": roles}
				out = append(out, &one)
			}
		}
	}
	return out
}

// pathReadings: decoded; as a mux reads it, segment by segment; and as path.Clean
// or Windows does.
func pathReadings(p authz.Path) []string {
	kept := regexp.MustCompile("%2[fF]").ReplaceAllString(p.Escaped(), "%252F")
	segments, _ := url.PathUnescape(kept)
	clean := regexp.MustCompile(`[/\\]+`).ReplaceAllString(p.Decoded(), "/")
	return []string{p.Decoded(), segments, clean}
}

func bareHost(host string) string { return regexp.MustCompile(`:[^:\]]*$`).ReplaceAllString(host, "") }

func roleReadings(roles []string) [][]string {
	return [][]string{roles, {roles[0]}, {roles[1]}}
}
