// Package h2 keeps connections of HTTP/2, each of which carries many requests at
// once. The protocol is net/http's; the pool is not, for that one sends a request
// again by itself: with waits of seconds in between where a server refuses it, and
// without end where a server ends each new connection (https://go.dev/issue/52459).
// Here a request is sent, and what is done if that fails is for the mesh to decide.
//
//	pool := h2.New(&http.Transport{}, h2.Config{Dial: dial})
//	defer pool.Drain()
//	response, done, err := pool.Send(request)
//
// # What callers see
//
// What http.Transport shows them, but for this:
//
//  1. A request without a body that its server has certainly not looked at, for the
//     connection was about to end, is sent once more over another one; and no other.
//  2. A failure after which nothing has been worked on is an ErrUnprocessed.
//  3. Requests wait for one connection, which is made once for all of them, and has
//     the values of the first one's context. It is made even if nobody waits any more.
//  4. Nothing is sent before the server has said how many requests it takes at once,
//     or has kept silent for a second.
//
// # Defaults
//
// A connection carries as many requests at once as its server takes, for as long as
// the transport's IdleConnTimeout lets it stand, and any number of them.
//
// # Limits
//
// Places are net/http's, reserved until a request begins. Where a server lowers how
// many requests it takes to fewer than begin in that moment, these wait for one another
// until the contexts of some end.
//
// # Concurrency
//
// A Pool is safe for concurrent use. One mutex guards its connections, and is held
// for no longer than a look at those to one host.
package h2
