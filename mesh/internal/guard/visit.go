package guard

import (
	"crypto/tls"
	"net/http"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// A Visit is one inbound request on its journey. Whoever serves it fills in what
// it sees; Admit fills in the peer, the remote address and the claims.
type Visit struct {
	authz.Request
	TLS      *tls.ConnectionState // nil: plaintext
	Scheme   string
	RawQuery string

	// Token is what the request's token says and what is to change because of
	// it, once Admit has let the request in.
	Token jwt.Result
	// Decision is the policies'.
	Decision authz.Decision
}

// A Refusal is why a request was not let in.
type Refusal struct {
	Status     int    // 400, 401, 403, 429
	Flag       string // Envoy's: UAEX by a provider, RL by a rate
	Message    string // for the caller: Envoy's words
	Details    string // for the operator
	Policy     string // namespace/name of what decided; "" if nothing was written
	Challenge  string // the value of WWW-Authenticate, "" for none
	RetryAfter int    // seconds; 0: it does not depend on time
	Close      bool   // nothing more is to be served on the connection
}

// Error is the operator's line.
func (r *Refusal) Error() string { return r.Details }

const denied = "RBAC: access denied"

func forbidden(details string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Message: denied, Details: details}
}

func (v *Visit) values(canonical, lower string) []string {
	if v.LowerKeys {
		return v.Header[lower]
	}
	return v.Header[canonical]
}

// headers lets tokens be looked for in either spelling.
type headers struct{ v *Visit }

// Values implements jwt.Values.
func (h headers) Values(name string) []string {
	if h.v.LowerKeys {
		return h.v.Header[lower(name)]
	}
	return h.v.Header[name]
}
