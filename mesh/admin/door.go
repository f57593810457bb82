package admin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// AllowPeers is a policy for Config.Allow: callers that have proven to be one of
// these workloads. It knows them where the handler stands behind Mesh.Handler on
// a listener of Mesh.Listen.
func AllowPeers(ids ...tlsid.ID) func(*http.Request) bool {
	ids = slices.Clone(ids)
	return func(r *http.Request) bool {
		peer := mesh.Peer(r.Context()).ID
		return !peer.IsZero() && slices.Contains(ids, peer)
	}
}

// guarded lets requests in to next, in this order: who asks, by which name, from
// which page. Every answer, a refusal too, tells browsers to take nothing from
// elsewhere.
func (a *admin) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		switch {
		case !local(r) && (a.config.Allow == nil || !a.config.Allow(r)):
			http.Error(w, "the caller is not on this machine, and Config.Allow does not let it in", http.StatusForbidden)
		case !a.knownHost(r.Host):
			http.Error(w, "the host is neither an address nor localhost nor one of Config.Hosts", http.StatusMisdirectedRequest)
		case foreign(r):
			http.Error(w, "the request comes from a page of another origin", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "all here is read-only", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// policy lets pages load what this handler serves and nothing else: no script or
// style in the text of a page, no connection to anybody else, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// local says that the other end of the connection is on this machine and speaks
// for itself. What a proxy hands on is not local, whoever it says has asked: that
// header is believed only where it closes the door.
func local(r *http.Request) bool {
	if !onThisMachine(r) {
		return false
	}
	for name := range r.Header {
		if handedOnBy(name) {
			return false
		}
	}
	return true
}

// handedOnBy says that proxies write such a header. A client may have one of them
// taken out by the proxy (Connection: X-Forwarded-For), but hardly all.
func handedOnBy(header string) bool {
	switch header {
	case "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cdn-Loop",
		"X-Original-Forwarded-For", "X-Envoy-External-Address", "X-Envoy-Internal":
		return true
	}
	return strings.HasPrefix(header, "X-Forwarded")
}

func onThisMachine(r *http.Request) bool {
	if _, unix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); unix {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// knownHost holds off DNS rebinding: an attacker's page can have its own name
// point at this machine, but cannot be served from an address or from localhost.
func (a *admin) knownHost(host string) bool {
	name := nameOf(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(a.config.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// nameOf is a Host without its port, in lower case.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// foreign says that a browser sends the request for a page of another origin. A
// link from elsewhere may lead to a page here, but not to data.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || strings.Contains(r.URL.Path, "/api/")
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != schemeOf(r)+"://"+r.Host
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
