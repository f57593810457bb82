// Package report tells telemetry what became of requests, in both directions. It
// knows the engine's calls and telemetry's edges, and is free of HTTP and gRPC:
// both faces of the mesh fill in what only they see.
//
// What a request costs here is bounded by what it is told for: the edge of a host
// is remembered with the host, that of a caller with the caller, and details are
// asked for only if somebody reads them.
package report
