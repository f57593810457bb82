// Package sniff serves TLS and plaintext on one port: it is the listener of a
// PeerAuthentication. What a connection is, its first byte tells.
//
//	lis, err := sniff.Listen(inner, sniff.Config{TLS: config, Mode: func() sniff.Mode { return sniff.Permissive }})
//	...
//	defer lis.Close()
//	err = http.Serve(lis, handler) // r.TLS is nil for plaintext
//
// TLS connections come out of Accept as *tls.Conn, the one type that net/http
// takes for TLS, so that HTTP/2 works by ALPN; the handshake is left to whoever
// reads first. Plaintext connections come out with their first byte given back.
//
// # Defaults
//
//  1. Mode: Strict, every connection is handed to TLS.
//  2. Timeout: 15 s for the first byte, as in Envoy (listener_filters_timeout).
//  3. MaxPending: 4096 connections whose first byte is waited for.
//
// # Who is silent
//
// In Permissive mode a goroutine waits for each connection's first byte, so
// that a silent client holds up nobody else. One that is silent for Timeout is
// closed, as Envoy does: as plaintext it could stay for ever, and a TLS client
// that speaks late would be answered in a language that it did not choose.
//
// When MaxPending connections are waited for and another one comes, the one that
// has been silent longest is closed, after 10 ms at the least. To leave new ones in
// the kernel's backlog would let silent clients lock everybody out for Timeout,
// and so would closing the new one; but the first byte of an honest client
// follows its connecting at once. So the port takes MaxPending new connections
// in 10 ms, however many are silent. Stats counts what was closed.
//
// Connections that have spoken and that nobody accepts keep their place; when all
// places are theirs, new ones stay in the kernel's backlog, as with any listener
// that is not accepted from.
//
// # Concurrency
//
// All methods are safe for concurrent use. Until the first Permissive connection
// there is no goroutine: Accept is the inner listener's. From then on one accepts,
// and one more waits for each first byte; Close ends them all and waits for them.
// Mode is asked for each connection, in Permissive mode once more when its first
// byte is there. It is called without locks, by several goroutines, and must not
// wait for anything.
//
// # Limits
//
// Protocols in which the server speaks first cannot be told from silence: serve
// them in Strict or Disable mode, or say Config.ServerFirst, by which plaintext
// clients wait for Timeout until they are spoken to, and one whose first byte is that
// of TLS is asked for two more: it may be the length of something. What comes after the first byte is up to who
// accepts: a client that stops amid the handshake or its first request is
// bounded by http.Server.ReadHeaderTimeout, as it is without this package.
package sniff
