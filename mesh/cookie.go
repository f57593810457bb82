package mesh

import (
	"strings"
	"time"

	"net/http"

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
