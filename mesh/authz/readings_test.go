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

// pathReadings: an escaped slash is a slash, or as a mux reads it none; so is a
// backslash; and several slashes are one, or as many.
func pathReadings(p authz.Path) (out []string) {
	for _, escape := range []string{"%2F", "%252F"} {
		for _, backslash := range []string{`\`, "/"} {
			for _, several := range []string{"$0", "/"} {
				path, _ := url.PathUnescape(regexp.MustCompile("%2[fF]").ReplaceAllString(p.Escaped(), escape))
				path = strings.ReplaceAll(path, `\`, backslash)
				out = append(out, regexp.MustCompile("/+").ReplaceAllString(path, several))
			}
		}
	}
	return out
}

func bareHost(host string) string { return regexp.MustCompile(`:[^:\]]*$`).ReplaceAllString(host, "") }

func roleReadings(roles []string) [][]string {
	return [][]string{roles, {roles[0]}, {roles[1]}}
}
