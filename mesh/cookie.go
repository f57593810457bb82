package mesh

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// setCookie is the Set-Cookie line of a cookie that the mesh made up as a hash
// key. A client with a jar sends it from then on. As in Envoy, what a rule says
// stands in it as it is: browsers take names that http.Cookie does not.
func setCookie(c *plan.Cookie, value string) string {
	line := c.Name + "=" + value
	if c.Path != "" {
		line += "; Path=" + c.Path
	}
	if c.TTL > 0 {
		line += "; Max-Age=" + strconv.Itoa(max(int(c.TTL/time.Second), 1))
	}
	line += "; HttpOnly"
	for _, a := range c.Attributes {
		line += "; " + a.Name
		if a.Value != "" {
			line += "=" + a.Value
		}
	}
	return line
}

// addCookie makes one line of a request's cookies and one more: RFC 6265 §5.4
// allows no second. have is not written to, not even behind its end.
func addCookie(have []string, c *plan.Cookie, value string) []string {
	return []string{strings.Join(append(slices.Clip(have), c.Name+"="+value), "; ")}
}
