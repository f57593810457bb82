package mesh

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// setCookie is the Set-Cookie line of a cookie that the mesh made up as a hash
// key. A client with a jar sends it from then on.
func setCookie(c *plan.Cookie, value string) string {
	cookie := http.Cookie{Name: c.Name, Value: value, Path: c.Path, HttpOnly: true}
	if c.TTL > 0 {
		cookie.MaxAge = max(int(c.TTL/time.Second), 1)
	}
	var b strings.Builder
	b.WriteString(cookie.String())
	for _, a := range c.Attributes {
		b.WriteString("; " + a.Name)
		if a.Value != "" {
			b.WriteString("=" + a.Value)
		}
	}
	return b.String()
}

// addCookie makes one line of a request's cookies and one more: RFC 6265 §5.4
// allows no second. have is not written to, not even behind its end.
func addCookie(have []string, c *plan.Cookie, value string) []string {
	return []string{strings.Join(append(slices.Clip(have), c.Name+"="+value), "; ")}
}
