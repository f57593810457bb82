// Package inmesh is the map of a service mesh that lives inside a Go process.
// It has no code: start with package mesh, the front door.
//
// # One request's journey
//
//	   rules.Source ──┐
//	discovery.Source ─┴─ follow ─► plan.Compile ─► a plan (immutable, one atomic pointer)
//	                                                 │ loaded once per request
//	                                                 ▼
//	request ─► 1 route ─► 2 destination ─►┌ 3 admit ─► 4 pick ─► 5 attempt ─► 6 observe ─► 7 decide ┐─► response
//	           match,      weighted       │ limits     balancer  deadline,    classify     retry?   │
//	           fault,      subset,        │            circuit   connection   once         budget,  │
//	           own answer  mirror         └──────◄───────────────────────────────────────── back-off┘
//
// The journey is written once, in this order, in mesh/internal/engine/outbound.go.
// Read that file first. Stages 3 to 7 repeat for every try.
//
//	stage          package                may end the call with (Envoy's flag)
//	1 route        mesh/internal/plan     NR no route, DI and FI faults, a redirect, a direct response
//	2 destination  mesh/internal/plan     NC no such subset or port
//	3 admit        breaker                UO a limit is reached
//	4 pick         balancer, breaker      UH no healthy endpoint
//	5 attempt      mesh                   UF connect failure, UC and UR resets, UT timeout, DC caller gone
//	6 observe      mesh/internal/engine   –
//	7 decide       retry                  URX retries exhausted
//
// The other direction is shorter, and is written in mesh/internal/guard/admit.go:
//
//	connection ─► 1 port ─► request ─► 2 path ─► 3 peer ─► 4 source, ─► 5 token ─► 6 policies ─► 7 rates ─► handler
//	              STRICT,              read as   the roots  provider     401        AUDIT, DENY,   429
//	              PERMISSIVE,          handlers  of now     intentions,             ALLOW: 403
//	              DISABLE              do                   CUSTOM: 403
//
// A raw connection (TCP) takes both journeys in as few stages as have a meaning for
// it: mesh/internal/engine/connect.go, mesh/internal/guard/connection.go.
//
// Rules, endpoints, credentials and intentions reach both through control loops of
// one shape, a sequence that yields whole values, at once and after each change, and
// errors between; the last good value stands. One function runs them all:
// mesh/internal/follow.
//
// # Layout
//
//	mesh                   Config, New, Transport, Listen, Handler, DialContext, ListenTCP, Peer, Explain, Observer, Error: it wires, and owns no algorithm
//	mesh/rules             YAML or JSON → an immutable Set, or every fault with file:line
//	mesh/authz             access policies → a decision and its reason. Pure
//	mesh/meshgrpc          the gRPC face: NewClient, DialOptions, ServerOptions
//	mesh/telemetry         what happened → OpenTelemetry: metrics, traces, an access log; the topology
//	mesh/admin             pages and JSON that show a mesh while it runs
//	mesh/meshtest          the mesh in memory, for users' own tests
//	mesh/internal/plan     Compile: rules → virtual hosts, routes, cluster policies. Pure
//	mesh/internal/engine   the journey, free of HTTP; live clusters, hosts, circuits
//	mesh/internal/h1       an HTTP/1.1 connection loop on the caller's own goroutine, for plain requests
//	mesh/internal/h2       connections of HTTP/2, which leave it to the rules what is sent again
//	mesh/internal/counted  connections that count what passes, and end when a rule says so
//	mesh/internal/clienttls  the client's side of a connection's TLS, as a rule demands it
//	mesh/internal/guard    the inbound journey, free of HTTP
//	mesh/internal/report   what telemetry is told of a call, and of a request
//	mesh/internal/jwt      tokens and their keys
//	mesh/internal/ratelimit  how many requests a server takes in a second
//	mesh/internal/mask     secrets taken out of what operators are shown
//	mesh/internal/doorway  raw connections are let in before they are accepted
//	mesh/internal/sniff    one port for TLS and plaintext
//	mesh/internal/places   how many connections wait to be let in
//	mesh/internal/inside   what meshgrpc builds on
//	mesh/internal/cel      the expressions in Telemetry resources
//	mesh/internal/flight   what is under way
//	mesh/internal/deadline  contexts that end tries whose time is up
//	mesh/internal/follow   the one control loop
//	mesh/internal/replay   a request body that can be sent again
//	balancer               who is next
//	breaker                may it go at all: limits, ejection, per-host circuit
//	retry                  may it go again, and when
//	discovery              where a service lives: static, file, DNS
//	discovery/consul       Consul's catalogue, rules in its KV store, its intentions as a source of access
//	tlsid                  who we are, who they are: SPIFFE IDs, credentials, an embedded CA, files
//	tlsid/spiffe           credentials from the SPIFFE Workload API
//	tlsid/consulca         credentials from Consul's CA
//	examples               programs that run: bookinfo (the tour), grpc, consul, meshrules (lint, explain, rules in Consul)
//	bench                  measurements beside peers; a module of its own
//
// # Who may import whom
//
// The leaves (balancer, breaker, retry, discovery, tlsid) know nothing of each other,
// so that each works alone; balancer alone knows discovery, for its Endpoint
// value. Package authz knows the rules and tlsid's identities. The engine
// classifies an outcome once and tells each leaf in plain values. Package plan knows the rules and the leaves' settings; the engine
// knows the plan and the leaves; mesh knows them all and is known to nobody but
// meshgrpc, admin, meshtest and the examples. Heavy dependencies stay in leaf packages. The test
// in internal/repository holds the whole table, each line with its reason.
//
// # What outlives what
//
// A plan lives until the next change of rules. Clusters (a service's subset, as
// one process sees it) and their hosts live by identity, across plans: an edited
// route drops no connection and resets no counter. A cluster comes to life with
// the first call to it.
package inmesh
