package meshgrpc

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
)

// ServerOptions puts a mesh before a grpc.Server. Callers may connect as the
// PeerAuthentications say of its port, whether it listens by net.Listen or by
// Mesh.Listen; and each call, unary or a stream,
//
//   - inherits the deadline that its caller handed on: gRPC's own, and, unless it is
//     a stream, the x-envoy-expected-rq-timeout-ms of an HTTP hop, which does not say
//     how long a stream may take;
//   - is identified by the certificate that its connection has proven;
//   - passes Config.Access (PermissionDenied), the providers of CUSTOM policies,
//     the RequestAuthentications (Unauthenticated), the AuthorizationPolicies (PermissionDenied) and the rate
//     limits (Unavailable, with grpc-retry-pushback-ms).
//
// A connection whose peer is not trusted any more, or whose certificate has lasted
// for three quarters of the time that it had left, takes GOAWAY with the answer to
// its next call: calls under way finish, and the next one shows a new certificate.
//
// mesh.Peer tells handlers who calls. Interceptors chained after these see calls
// that were let in; methods that nobody has registered are answered by gRPC,
// before all interceptors.
func ServerOptions(m *mesh.Mesh) []grpc.ServerOption {
	s := &server{m.Inside()}
	return []grpc.ServerOption{
		grpc.Creds(serverCredentials{mesh: s.mesh, config: m.ServerTLS()}),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
}

// A server is the called side of a Mesh.
type server struct{ mesh inside.Mesh }

// unary is a grpc.UnaryServerInterceptor.
func (s *server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (reply any, _ error) {
	var a attendance
	ctx, leave := s.mesh.Inherit(a.begin(ctx, s, info.FullMethod), a.md["x-envoy-expected-rq-timeout-ms"])
	defer leave()
	ctx, err := s.admit(ctx, &a)
	defer a.in.Leave()
	load(&a.cargo.Requests, request)
	defer a.panicked()
	if err == nil {
		reply, err = handle(ctx, request)
	}
	if err == nil {
		load(&a.cargo.Responses, reply)
	}
	a.end(err)
	return reply, err
}

// stream is a grpc.StreamServerInterceptor.
func (s *server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	var a attendance
	ctx, err := s.admit(a.begin(stream.Context(), s, info.FullMethod), &a)
	defer a.in.Leave()
	defer a.panicked()
	if err == nil {
		a.follow()
		err = handle(srv, admittedStream{stream, ctx, &a})
	}
	a.end(err)
	return err
}

type admittedStream struct {
	grpc.ServerStream
	ctx context.Context
	*attendance
}

// SendMsg implements grpc.ServerStream.
func (s admittedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		load(&s.cargo.Responses, m)
	}
	return err
}

// RecvMsg implements grpc.ServerStream.
func (s admittedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		load(&s.cargo.Requests, m)
	}
	return err
}

// Context implements grpc.ServerStream.
func (s admittedStream) Context() context.Context { return s.ctx }

// admit returns the context of a call that may go in, as policies have seen it.
func (s *server) admit(ctx context.Context, a *attendance) (context.Context, error) {
	md := a.md
	in, through := s.mesh.Receive(ctx), doorOf(ctx)
	v := in.Visit()
	v.Method, v.Path, v.Header, v.LowerKeys = http.MethodPost, authz.LiteralPath(a.method), md, true
	if authority := md[":authority"]; len(authority) > 0 {
		v.Host = authority[0]
	}
	through.show(v)
	refusal := in.Admit(through.caller)
	a.in, a.visit, a.caller, a.refusal = in, v, through.caller, refusal
	if v.Aged || v.Expired || refusal != nil && refusal.Close {
		through.shut.Store(true)
	}
	if refusal != nil {
		return ctx, refuse(ctx, refusal)
	}
	if same(v.Header, md) {
		return in, nil
	}
	return metadata.NewIncomingContext(in, v.Header), nil
}

// same says that two maps are one.
func same(a, b map[string][]string) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

// doorOf is how a call has come in. A connection that has come through the mesh's
// credentials has a door; of others one is made up for each call.
func doorOf(ctx context.Context) *door {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return new(door)
	}
	if d, ok := p.LocalAddr.(*door); ok {
		return d
	}
	d := newDoor(p.LocalAddr, p.Addr)
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
		d.state = &info.State
	}
	return d
}

// addrPort is the zero AddrPort for what is none, such as a unix socket.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case nil:
	case *net.TCPAddr:
		ap = a.AddrPort()
	default:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// refuse is what the caller is told.
func refuse(ctx context.Context, why *guard.Refusal) error {
	trailer := metadata.MD{}
	if why.Flag == "RL" {
		trailer["x-envoy-ratelimited"] = []string{"true"}
	}
	if why.RetryAfter > 0 {
		trailer["grpc-retry-pushback-ms"] = []string{strconv.Itoa(1000 * why.RetryAfter)}
	}
	if why.Challenge != "" {
		trailer["www-authenticate"] = []string{why.Challenge}
	}
	_ = grpc.SetTrailer(ctx, trailer) // it fails for calls that are none of a server's
	return status.Error(grpcCode(why.Status), why.Message)
}
