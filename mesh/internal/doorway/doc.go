// Package doorway is a listener whose connections are looked at before they are
// accepted: handshakes, policies, whatever takes its time.
//
//	lis := doorway.Listen(inner, doorway.Config{Admit: func(ctx context.Context, c net.Conn) (net.Conn, error) {
//		return c, tls.Server(c, config).HandshakeContext(ctx)
//	}})
//	defer lis.Close()
//	conn, err := lis.Accept() // has been let in
//
// Each is admitted on a goroutine of its own, so that a slow one holds up nobody
// else, within Timeout. When MaxPending are there and another one comes, the one that
// has been at it longest is closed, after a second at the least: to leave new ones in
// the kernel's backlog would let slow clients lock everybody out for Timeout. Those
// that have been let in and that nobody accepts keep their place; when all places are
// theirs, new ones stay in the kernel's backlog.
//
// # Concurrency
//
// All methods are safe for concurrent use. One goroutine accepts from the inner
// listener; Close ends all and waits for them.
package doorway
