// Package consultest runs real Consul agents for tests: consul where it is on the
// PATH, else one that is built from the module in the directory agent, once, and
// kept in the user's cache directory.
//
//	agent := consultest.Start(t, consultest.Config{})
//	client, err := api.NewClient(&api.Config{Address: agent.Address()})
//
// Where no agent can be had, for want of a network mostly, the test is skipped,
// and says why; with INMESH_CONSUL=required in the environment it fails.
//
// # Defaults
//
//  1. An agent is a server of its own, in datacenter dc1, with Connect.
//  2. It listens on free ports of 127.0.0.1, keeps its data in a directory of the
//     test, and ends with it; also where the test's process is killed.
//  3. Timings are those of a local network: a dead agent is noticed in a second
//     or two.
//
// # Concurrency
//
// An Agent is for one goroutine at a time; its Address is for all.
//
// # Limits
//
// It needs a Unix: agents are paused by signals; a Network needs Linux. To build the
// agent takes some minutes and, the first time, the network; tests that have not that
// time are skipped, and go on with it the next time.
package consultest
