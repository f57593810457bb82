package admin

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// PortLabel is the label by which an endpoint tells at which port its instance
// serves pages like these: {"inmesh.io/admin-port": "15000"}.
const PortLabel = "inmesh.io/admin-port"

// A Fleet says where other instances serve their pages: at the address of each of
// their endpoints, at a port of their own. They refuse who is not on their machine,
// unless their own Config.Allow lets it in.
type Fleet struct {
	// Port is where, unless an endpoint has a PortLabel. Zero: such endpoints are
	// not asked.
	Port uint16
	// Prefix is where the handler is mounted there, "/mesh" for example. Zero: at
	// the root.
	Prefix string
	// Scheme is http or https. Zero: http.
	Scheme string
	// Client asks; with a tls.Config of tlsid it proves who asks, so that AllowPeers
	// can let it in. It follows redirects only by a CheckRedirect of its own. Nil: a
	// client that goes through no proxy and waits 2 s for a connection.
	Client *http.Client
	// Timeout bounds the wait for one instance, and for what discovery says of one
	// service; thrice that bounds the wait for all. Zero: 3 s.
	Timeout time.Duration
	// Services are asked beside those that the graph shows: name, or
	// name.namespace. Nil: none.
	Services []string
}

func (f *Fleet) timeout() time.Duration { return cmp.Or(f.Timeout, askTimeout) }

// client is Client, or one that keeps no connection: nobody closes the handler. An
// instance does not decide who else is asked.
func (f *Fleet) client() *http.Client {
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	}}
	if f.Client != nil {
		c = *f.Client
	}
	if c.CheckRedirect == nil {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &c
}

// pages is where the instance behind an endpoint serves its topology; false: nobody
// says where.
func (f *Fleet) pages(e discovery.Endpoint, window time.Duration) (string, bool) {
	host, _, err := net.SplitHostPort(e.Address)
	port := cmp.Or(e.Labels[PortLabel], strconv.Itoa(int(f.Port)))
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return "", false
	}
	u := url.URL{Scheme: cmp.Or(f.Scheme, "http"), Host: net.JoinHostPort(host, port), Path: f.Prefix + "/api/topology"}
	u.RawQuery = url.Values{"window": {window.String()}}.Encode()
	return u.String(), true
}
