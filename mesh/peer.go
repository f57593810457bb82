package mesh

import (
	"context"
	"net/http"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Caller is who sent an inbound request, as far as it has been proven.
type Caller struct {
	// ID is the identity of the workload at the other end of the connection; zero
	// for one that has proven none, in plaintext for example.
	ID tlsid.ID
	// Address is the other end of the connection, host:port.
	Address string
	// Token is what the request's verified token says; nil without one.
	Token *Token
}

// A Token is what a verified JSON Web Token says. Nobody changes it.
type Token struct {
	Issuer    string   // the claim iss
	Subject   string   // the claim sub
	Principal string   // iss/sub; "" unless the token has both
	Audiences []string // the claim aud
	Presenter string   // the claim azp
	// Claims is the whole payload, as encoding/json decodes it with UseNumber;
	// claims that hold words with spaces between them (scope) are lists.
	Claims map[string]any
}

// Peer returns who sent the request that ctx belongs to: the context of a request
// that has passed Handler. Elsewhere it is the zero Caller.
func Peer(ctx context.Context) Caller {
	if in, ok := ctx.Value(inboundKey{}).(*Caller); ok {
		return *in
	}
	return Caller{}
}

// inboundKey is the context key of the *Caller of an inbound request. Requests
// made on its behalf are hashed by its address.
type inboundKey struct{}

func callerOf(r *http.Request, v *guard.Visit) Caller {
	c := Caller{ID: v.Peer, Address: r.RemoteAddr}
	if a := v.Auth; a != nil {
		c.Token = &Token{a.Issuer, a.Subject, a.Principal, a.Audiences, a.Presenter, a.Claims}
	}
	return c
}

func remoteOf(ctx context.Context) string {
	if in, ok := ctx.Value(inboundKey{}).(*Caller); ok {
		return in.Address
	}
	return ""
}
