// Command consul is a mesh on many machines, on one: a Consul cluster of three
// servers, and the services of Istio's sample application, each a process of its
// own that has everything from Consul.
//
//	                 ┌─► details
//	productpage ─────┤
//	                 └─► reviews v1, v1, v2 ──► ratings (v2 only)
//
// From the repository's root:
//
//	go run ./examples/consul                          a line a second, until Ctrl-C
//	go run ./examples/consul -once -n 500 -json       500 pages, one JSON object
//
// # How to read it
//
// What a service takes to live in such a mesh is in service.go: consul.NewSource
// says where the others are, consul.NewRules which rules hold, consulca.New who the
// process is, consul.Intentions who may call it, and consul.Register that it is
// there. In fleet.go the rules are pushed by consul.Publish, and consul.Reports says
// when they are in force; in intend.go an intention is turned round. All else starts
// processes and counts.
//
// Each service goes by one of the three servers; in real life by the agent of its
// machine.
//
// # What to try while it runs
//
// It prints the agent's address, for examples/meshrules and for Consul's own tools.
// Change the weights in rules/reviews-virtualservice.yaml beside this file, and push
// them with meshrules apply: the shares follow at once, and meshrules status says
// which process goes by which version. An intention from productpage to details that
// denies (Consul's own page has a form for it) makes pages fail from the next one on.
//
// # Defaults
//
//  1. The agent is consul on the PATH, else one that Go builds from
//     internal/consultest/agent, which takes minutes and, the first time, the network.
//  2. The rules are those within the program; -rules names a directory.
//  3. The cluster and the services have two minutes to start. Each process has 15 s
//     to end, and is killed then. When this process is killed, the others end, too.
//
// # What it prints
//
// pages is failed plus the sum of by_version, which says whose reviews were on
// them. mtls is the share of pages whose reviews were asked for by productpage, as
// its certificate says; refused the share of the services behind it that do not
// answer who has none; denied says that details refused productpage once an
// intention did not let it in. rules is the version that all processes go by.
//
// Exit codes: 0, 1 if it could not run, 2 for wrong flags.
//
// # Limits
//
// It needs a Unix: processes are in groups of their own, so that Ctrl-C ends them in
// order.
package main
