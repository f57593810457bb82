// Command grpc is gRPC over inmesh: a service in two versions, with a unary and a
// streaming method, a canary, a rule that retries, and a policy. It runs on
// loopback ports, each server and each caller with a mesh of its own.
//
//	desk ──────► quotes v1 (80 %), v2 (20 %, refuses every fourth call)
//	stranger ──► quotes: refused
//
// From the repository's root:
//
//	go run ./examples/grpc                           a line a second, until Ctrl-C
//	go run ./examples/grpc -once -n 1000 -json       1,000 calls of each kind, one JSON object
//
// # How to read it
//
// What makes it a mesh is three calls: mesh.New, meshgrpc.ServerOptions for the
// server, meshgrpc.NewClient for the client; all of them in fleet.go. What the
// service does, in quotes.go, is plain gRPC; so are the calls, in calls.go.
//
// The rules are files, in rules beside this one, which are read again when they
// change; -rules names another directory.
//
// # What it prints
//
// The JSON object counts calls: unary and streams are those that succeeded, by
// version, and failed those that did not. retries is how many tries were followed
// by another. denied is the share that was refused of the calls of a stranger,
// mtls the share of the desk's that came over mutual TLS.
//
// Exit codes: 0, 1 if it could not run, 2 for wrong flags.
package main
