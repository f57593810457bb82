// Package spiffe gets a workload's credential from the SPIFFE Workload API,
// which SPIRE and others serve on each machine: who the process is, is then
// decided by the agent, and no secret is configured.
//
//	source, err := spiffe.NewSource(spiffe.Config{}) // at SPIFFE_ENDPOINT_SOCKET
//	if err != nil {
//		return err
//	}
//	m, err := mesh.New(ctx, mesh.Config{Identity: source})
//
// # Defaults
//
//  1. The agent is found by the environment variable SPIFFE_ENDPOINT_SOCKET.
//  2. Of several identities the first is taken: the agent's default.
//  3. A broken watch is taken up again after a random pause of at most 100 ms,
//     doubling with each failure to at most 10 s; a good credential takes it
//     back to 100 ms. An agent that was away is dialled at least every 2 s.
//
// # What the agent's answers do
//
//   - A credential, with the bundles of its own and all federated trust domains,
//     is yielded whole. A bundle that an answer leaves out is trusted no more.
//   - A malformed answer is yielded as an error, and the watch goes on: no
//     identity, two URI SANs, a CA as a leaf, a key of another certificate, no
//     bundle of the own trust domain, no identity that Config asks for.
//   - PermissionDenied (an ErrDenied), Unavailable, the end of the stream and
//     every other status are yielded as errors, and the watch is taken up again.
//   - InvalidArgument, and Canceled while ctx lives, are yielded and end the
//     sequence: go-spiffe does not ask again, since the specification says of the
//     first "Clients encountering the InvalidArgument status code SHOULD NOT
//     retry". The mesh starts an ended sequence again, with back-off.
//
// The specification would have a client that is denied "cease using the redacted
// SVIDs". Here a denial is an error like the others, and leaves the last
// credential in force until it expires, so that an agent that forgets its entries
// in a restart stops nobody; who wants otherwise acts upon ErrDenied.
//
// # Concurrency
//
// A Source is safe for concurrent use. Each Watch has a connection of its own,
// which ends with it: there is nothing to close.
//
// # Limits
//
// Certificate revocation lists in the agent's answers are not looked at:
// go-spiffe drops them. An agent that hangs without breaking the connection is
// not noticed here, but by the age of the credential.
package spiffe
