// Package blocking follows an answer of Consul's HTTP API by blocking queries.
//
//	health := func(o *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
//		return client.Health().Service("reviews", "", false, o)
//	}
//	for answer, err := range blocking.Watch(ctx, blocking.Config{}, health) { … }
//
// It keeps the rules of https://developer.hashicorp.com/consul/api-docs/features/blocking:
// an index that goes backwards is forgotten, one below 1 is never sent, and a
// token bucket paces the queries, for that one returns does not mean that
// something has changed.
//
// # Defaults
//
//  1. A query waits 30 s, to which the server adds up to a sixteenth; it is
//     given up 10 s after that, or 10 s after it was sent if it was not to wait.
//  2. Two queries may follow each other at once, then there is one each 500 ms.
//  3. Trouble is followed by a random pause of at most 250 ms, doubling to 30 s,
//     and then by a query that does not wait, so that its end is seen at once.
//  4. Any server may answer, not the leader alone. Where agents do not say of
//     answers that have waited how old they are, they are asked once more each 30 s.
//
// # Concurrency
//
// Each iteration of Watch works in the loop that ranges over it; several may
// run at a time.
//
// # Limits
//
// An http.Client with a Timeout below 45 s, given to the
// api.Client, ends every query that waits. Each Watch keeps one connection of
// the agent, which takes 200 of one address (limits.http_max_conns_per_client).
package blocking
