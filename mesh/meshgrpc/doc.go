// Package meshgrpc is the gRPC face of a mesh: the same rules, the same engine and
// the same observer as for HTTP.
//
//	m, err := mesh.New(ctx, mesh.Config{Rules: rules.Dir("rules"), Identity: source})
//	...
//	conn, err := meshgrpc.NewClient(m, "mesh:///ratings") // or mesh:///ratings:9080
//	reply, err := pb.NewRatingsClient(conn).Get(ctx, request)
//	...
//	server := grpc.NewServer(meshgrpc.ServerOptions(m)...)
//
// # What rules see of a call
//
// The path is /package.Service/Method, the method POST, the authority the target's
// service, and headers are the metadata. Where the target has no port and a
// ServiceEntry several, the first of protocol GRPC is meant. Interceptors run the journey of a call
// (see package mesh); there is one load balancer, the engine's, and gRPC's policy
// only obeys: it connects to a host when a call has picked it, and keeps one
// connection to each, for as long as it is of use.
//
// What the mesh refuses is a status, and a *mesh.Error to errors.As. What the
// server answers is returned as it came. A redirect, or an answer that a rule
// gives by itself, is a status that names the route.
//
// # Defaults
//
//  1. Codes of what the mesh refuses: Envoy's, UNAVAILABLE for most, timeouts of
//     rules among them, UNIMPLEMENTED where no route matches. The caller's own
//     deadline is DEADLINE_EXCEEDED, its leaving CANCELLED.
//  2. Retries: those of the rule. A status that comes in headers alone, as that of
//     most refusals does, is what retryOn's cancelled, deadline-exceeded, internal,
//     resource-exhausted and unavailable are about; one in trailers is never
//     retried, nor is what a fault of the rules has aborted: it stands before the
//     tries. grpc-retry-pushback-ms is obeyed. What gRPC knows not to have been
//     worked on it sends again by itself, once, which does not count; what a
//     connection leaves unsent beyond that is refused-stream's.
//  3. Streams: they may be sent again until an answer's headers are there, or more
//     than Config.ReplayLimit (64 KiB) of messages has been sent.
//  4. Timeouts of a rule count from the end of the request, as in Envoy: for a
//     stream whose caller may send, from CloseSend. Of a unary call perTryTimeout
//     bounds the whole try. The server of one is told what a rule leaves of the
//     time when the try begins, rounded up to milliseconds.
//  5. Ejection: by the HTTP status that Envoy gives a code in headers. An answer
//     that is not gRPC's counts by its own; the first of a minute does not count.
//  6. grpc.WaitForReady: the journey is begun anew, first after 20 ms, at last each
//     second, as long as nobody can be connected to and the connection is not closed.
//     Observers are told of it once, at its end, with all its time; a rule's fault
//     and mirror meet it once. A stream whose service becomes unknown meanwhile is
//     UNAVAILABLE if its caller has it already; else it passes unchanged.
//  7. A host that refused a connection is connected to again after 50 ms at first,
//     1 s at last.
//  8. Windows: a server may send 4 MiB of each stream before they are read, as to
//     net/http's client; grpc.WithStaticStreamWindowSize after DialOptions says
//     otherwise, grpc.WithInitialWindowSize too.
//  9. Mirrors: of unary calls whose messages are protobuf's. What is not mirrored
//     is counted.
//
// # TLS
//
// Connections are made as the rules say, as those of HTTP are. The caller may
// bring transport credentials of its own, as it may call https: they stand unless
// a rule says how TLS is to be done, which then is an error.
//
// # Concurrency
//
// Everything is safe for concurrent use, streams as far as gRPC has it. A
// connection has one goroutine of its own, and a stream one until it is answered;
// closing the connection ends them. Close connections before their Mesh. Where an
// interceptor panics on that goroutine, the stream's caller does, with an error that
// wraps the value and has the stack.
//
// # Limits
//
// connectionPool: http2KeepAlive holds as it stands when NewClient is called, of
// the service itself, and not below gRPC's 10 s; with DialOptions it is
// grpc.WithKeepaliveParams. maxConnections has no effect, as in Envoy on a host
// that speaks HTTP/2: there is one connection, and more only by
// maxConcurrentStreams. h2UpgradePolicy has none, for there is no other protocol.
// Config.Hedge is for HTTP alone. Methods that a server does not have are answered
// by gRPC itself, before any policy is asked.
package meshgrpc
