package authz

import (
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A Request is what policies can see of one request, or of one connection. It
// holds the server's own values and copies nothing. An attribute that is
// missing, a zero value here, matches nothing: what is not known of a caller
// opens no door.
type Request struct {
	// Peer is the identity that the caller has proven; zero for plaintext.
	Peer tlsid.ID
	// TCP says that this is a connection whose requests nobody can see. Only
	// Peer, the addresses, Port and SNI are looked at.
	TCP bool

	Method string
	Host   string // as sent: the authority, with the port if one is written
	Path   Path   // see Normalization
	Header map[string][]string
	// LowerKeys says that Header has lower-case keys (gRPC metadata) rather than
	// canonical ones (http.Header).
	LowerKeys bool
	// Claims is the payload of the caller's validated token; nil without one.
	// Strings, lists of them ([]string, []any) and objects (map[string]any) are
	// looked at, numbers and booleans never match. Claims that hold words with
	// spaces between them (scope, permission) come as lists.
	Claims map[string]any

	Source      netip.Addr // the other end of the connection
	Remote      netip.Addr // the client that trusted proxies have named
	Destination netip.Addr // this end
	Port        uint16     // this end's
	SNI         string     // the server name that the TLS client has asked for
}

// A headerName is a header in both spellings, so that a look-up folds no case.
type headerName struct{ canonical, lower string }

func newHeaderName(name string) headerName {
	return headerName{textproto.CanonicalMIMEHeaderKey(name), strings.ToLower(name)}
}

func (r *Request) values(name headerName) []string {
	if r.LowerKeys {
		return r.Header[name.lower]
	}
	return r.Header[name.canonical]
}

// What conditions look at.
func method(r *Request) string          { return r.Method }
func sni(r *Request) string             { return lower(r.SNI) } // Envoy: "Always keep the server_name_ as lower case"
func source(r *Request) netip.Addr      { return r.Source }
func remote(r *Request) netip.Addr      { return r.Remote }
func destination(r *Request) netip.Addr { return r.Destination }
