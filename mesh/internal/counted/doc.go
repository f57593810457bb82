// Package counted makes connections of which it is known how many bytes have passed,
// which end by themselves when a rule says so, and of whose end somebody is told.
//
//	c := counted.New(inner, counted.Config{Idle: time.Hour, Closed: func() { ... }})
//	use(c.Start())
//
// What Start returns keeps what a net.Conn of package net can do: of one over a *net.TCPConn or a
// *net.UnixConn the socket can be had (syscall.Conn), as drivers of databases ask
// for to see whether it is alive; that and one over TLS can be half-closed.
//
// # What copies cost
//
// A Write is counted as it goes out, in steps of 128 KiB. A file is sent by the
// kernel (sendfile), in such steps. From socket to socket the kernel copies (splice)
// only where nobody counts on the way, see Config.Unwatched: it does not say how far
// it is.
//
// # Concurrency
//
// All methods are safe for concurrent use; those of a connection as a net.Conn's are.
// There is no goroutine; a limit has a timer.
package counted
