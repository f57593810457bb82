// Package h1 writes and reads HTTP/1.1 on the caller's own goroutine, over pooled
// connections. For plain requests it does what http.Transport does, with a
// quarter of the allocations and no goroutine: http.Transport has two for each
// connection, and every request is handed from one to the other.
//
//	pool := h1.New(h1.Config{Dial: dial, IdleTimeout: time.Minute})
//	defer pool.CloseIdle()
//	if pool.Takes(request) {
//		return pool.RoundTrip(request)
//	}
//	return transport.RoundTrip(request)
//
// # What it takes
//
// Requests without a body, or with one that GetBody can give again and that is
// known to have no more than 64 KiB. All else, such as a body that streams, an
// Upgrade or an Expect, is http.Transport's; see [Pool.Takes].
//
// # What callers see
//
// What http.Transport shows them: the same request byte for byte, gzip that was
// not asked for undone, trailers, informational answers skipped, a request sent
// again over another connection where that one was stale, the context's cause as
// the error when it ends. Tests hold each of these against http.Transport, and
// fuzz it. It differs where there is no other way, or a better one:
//
//  1. A 101 is an error: nobody has asked to switch.
//  2. The request's body is read whole before anything is sent, so that one that
//     breaks, or has another length than it says, costs no connection. A Read that
//     blocks holds its request up beyond the end of its context.
//  3. An answer that comes before a write fails is the answer. http.Transport
//     returns whichever it notices first.
//  4. After Connection: close in the caller's own headers the connection is not
//     used again, even if the server has not understood.
//  5. A dial is the request's own, and ends with its context.
//
// # Defaults
//
//  1. Connections stay idle for ever, in any number, and carry any number of requests.
//  2. The head of an answer has at most 10 MiB, and may take for ever.
//  3. The read buffer of a connection has 4 KiB; there is no write buffer.
//
// # How connections are watched
//
// An idle connection may end, or say something that nobody has asked for. A
// connection over a socket is asked, without waiting, when it is taken and every
// 30 seconds while it is idle: whatever there is to read ends it. It may lie
// beneath a tls.Conn; any other wrapper that holds nothing back says so by being a
// syscall.Conn. A connection that shows no socket, such as a net.Pipe, has a
// goroutine while it is idle, and another while it is written to, for nothing there
// keeps what was written until it is read. So have all connections on systems that
// are not Unix, and, while it is written, a request of more than 80 KiB.
//
// # Concurrency
//
// A Pool is safe for concurrent use. One mutex guards its idle connections, and is
// held for no longer than a look at them. A response's body may be closed while
// another goroutine reads it.
package h1
