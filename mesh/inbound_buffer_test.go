package mesh_test

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// A buffered connection takes what is written before it is read, as sockets do.
// With TLS over a bare net.Pipe both ends may wait for each other.
type buffered struct {
	net.Conn
	out    chan []byte
	closed chan struct{}
	once   sync.Once
}

func buffer(c net.Conn) net.Conn {
	b := &buffered{Conn: c, out: make(chan []byte, 1000), closed: make(chan struct{})}
	go b.pump()
	return b
}

// Write implements net.Conn.
func (b *buffered) Write(p []byte) (int, error) {
	select {
	case <-b.closed:
		return 0, net.ErrClosed
	case b.out <- bytes.Clone(p):
		return len(p), nil
	}
}

// Close implements net.Conn: what was written still arrives.
func (b *buffered) Close() error {
	b.once.Do(func() {
		_ = b.Conn.SetDeadline(time.Now().Add(time.Second))
		close(b.closed)
	})
	return nil
}

func (b *buffered) pump() {
	defer b.Conn.Close()
	for {
		select {
		case p := <-b.out:
			if _, err := b.Conn.Write(p); err != nil {
				_ = b.Close()
				return
			}
		case <-b.closed:
			b.flush()
			return
		}
	}
}

func (b *buffered) flush() {
	for {
		select {
		case p := <-b.out:
			_, _ = b.Conn.Write(p)
		default:
			return
		}
	}
}
