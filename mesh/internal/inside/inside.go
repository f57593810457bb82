// Package inside is what the mesh's own packages get of a Mesh beside what its
// users do: the engine, the way to endpoints, the door. It has names for it and
// no code.
package inside

import (
	"context"
	"net"
	"time"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Mesh is a mesh.Mesh from the inside. All of it may be called by many
// goroutines at once.
type Mesh struct {
	Engine      *engine.Engine
	ReplayLimit int64 // bytes of a request that are kept for a retry
	Now         func() time.Time
	// Refused is the *mesh.Error of a call that Route or Do ended.
	Refused func(c *engine.Call, err error) error
	// MirrorDropped tells that a copy was not sent.
	MirrorDropped func(host string)
	// Alarms are for callers who keep them, and should not all have the same.
	Alarms func() *deadline.Alarms

	// Dial makes connections to what the mesh does not know, in the clear.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Dialer makes those to the hosts of a cluster, by one policy.
	Dialer func(cl *engine.Cluster, spec *plan.Cluster) Dialer
	// Credential is the process's own where connections by spec may be made by it.
	// Connections do not outlive it by more than the requests that they carry.
	Credential func(spec *plan.Cluster) tlsid.Credential

	// Reporter tells what became of calls and requests; nil: nothing is told.
	Reporter *report.Reporter
	// Introduction is what other workloads of the mesh are told of this one, in the
	// header of telemetry.MetadataHeader; nil: nothing.
	Introduction []string

	// Mode is how callers may connect to a port.
	Mode func(port uint16) authz.Mode
	// Inherit takes over the deadline that a caller has handed on beside gRPC's
	// own, by the values of x-envoy-expected-rq-timeout-ms.
	Inherit func(ctx context.Context, values []string) (context.Context, context.CancelFunc)
	// Relents reports that the deadline of ctx may be given up before its time, as that
	// which an HTTP handler inherits is when it answers.
	Relents func(ctx context.Context) bool
	// Receive begins the journey of an inbound request.
	Receive func(ctx context.Context) Inbound
}

// An Inbound is a request on its way to the handler, and the handler's context:
// mesh.Peer knows the caller by it.
type Inbound interface {
	context.Context
	// Visit is to be filled in with what is seen of the request.
	Visit() *guard.Visit
	// Admit carries the request to the door. address is the caller's.
	Admit(address string) *guard.Refusal
	// Leave says that a request that was let in is under way no more.
	Leave()
	// Over tells who listens that the request has come to a gRPC status, or to
	// nothing for its caller has gone.
	Over(refusal *guard.Refusal, status int, gone bool)
}

// A Dialer makes connections to the hosts of a cluster.
type Dialer interface {
	// Security is how a connection to the host is to be made now: another one
	// means another connection. name is the one that the caller asked for, and
	// callers says that it brings TLS of its own.
	Security(h *engine.Host, name string, callers bool) Security
	// Dial connects, in HTTP/2, within the policy's timeout. By TLS it returns a
	// *tls.Conn that has shaken hands.
	Dial(ctx context.Context, s Security) (net.Conn, error)
}

// A Security is an opaque description of a connection, which compares.
type Security string
