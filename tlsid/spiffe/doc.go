// Package spiffe gets a workload's credential from the SPIFFE Workload API,
// which SPIRE and others serve on each machine: who the process is, is then
// decided by the agent, and no secret is configured.
//
//	source, err := spiffe.NewSource(spiffe.Config{}) // at SPIFFE_ENDPOINT_SOCKET
//	if err != nil {
//		return err
//	}
//	for credential, err := range source.Watch(ctx) { … } // or mesh.Config{Identity: source}
//
// # Defaults
//
//  1. The agent is found by the environment variable SPIFFE_ENDPOINT_SOCKET.
//  2. Of several identities the first is taken: the agent's default.
//  3. An agent that fails is asked again after a random pause of at most 100 ms,
//     doubling with each failure to at most 10 s; a good credential takes it back
//     to 100 ms.
//  4. A credential that has expired is told of once an hour.
//
// # What the agent's answers do
//
//   - A credential, with the bundles of its own and all federated trust domains,
//     is yielded whole. A bundle that an answer leaves out is trusted no more.
//   - A malformed answer is yielded as an error, and the stream goes on: no
//     identity, two URI SANs, a CA as a leaf, a key of another certificate, a
//     chain that the bundle does not vouch for, no identity that Config asks for.
//   - A credential that has expired is an error too. One from the future is an
//     error at once, and is yielded when its time comes.
//   - PermissionDenied (an ErrDenied), every other status and the end of the
//     stream are yielded as errors, and the agent is asked again. go-spiffe alone
//     would give up after InvalidArgument and Canceled.
//   - Silence: when a fifth of the credential's lifetime is left a
//     tlsid.ErrExpiring is yielded, after its end a tlsid.ErrOutOfTime.
//
// The specification would have a client that is denied "cease using the redacted
// SVIDs". Here a denial is an error like the others, and leaves the last
// credential in force until it expires, so that an agent that has lost its
// entries stops nobody; who wants otherwise acts upon ErrDenied.
//
// # Concurrency
//
// A Source is safe for concurrent use. Each Watch has a connection and a
// goroutine of its own, which end with it: there is nothing to close. A loop that
// is slow holds up nothing but its own news.
//
// # Limits
//
// Certificate revocation lists in the agent's answers are not looked at:
// go-spiffe drops them.
package spiffe
