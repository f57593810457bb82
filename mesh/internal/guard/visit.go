package guard

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// A Visit is one inbound request on its journey. Whoever serves it fills in what
// it sees; Admit fills in the peer, the remote address, the claims and what stands below, and puts a
// changed copy in the place of Header, and changes RawQuery, where the rules of
// its token say so: the handler must see these.
type Visit struct {
	authz.Request
	TLS      *tls.ConnectionState // nil: plaintext. That of the connection, or a copy of it
	Scheme   string
	RawQuery string
	Now      time.Time // when the request came; zero: Admit looks at the clock

	// Aged says that the peer should connect anew, once this request is answered:
	// the certificate of its connection will soon be of no use.
	Aged bool
	// Expired says that the certificate is of no use any more.
	Expired bool
	// Auth is what the request's verified token says; nil without one.
	Auth *jwt.Auth
	// Decision is the policies', once they were asked.
	Decision authz.Decision

	decided bool
	token   jwt.Request
}

// Trial is why the policies on trial would have denied the request; "" if they
// would not, or were not asked.
func (v *Visit) Trial() string {
	if !v.decided {
		return ""
	}
	return v.Decision.Shadow.Reason()
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
