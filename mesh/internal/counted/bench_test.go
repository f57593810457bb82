package counted_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/counted"
)

// BenchmarkEcho is a question of 64 bytes and its answer over loopback: bare, and
// counted on both ends.
func BenchmarkEcho(b *testing.B) {
	for _, name := range []string{"bare", "counted"} {
		b.Run(name, func(b *testing.B) {
			client, server := pair(b)
			if name == "counted" {
				client = counted.New(client, counted.Config{Idle: time.Hour}).Start()
				server = counted.New(server, counted.Config{}).Start()
			}
			go repeat(server)
			p := make([]byte, 64)
			for b.Loop() {
				if _, err := client.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(client, p); err != nil {
					b.Fatal(err)
				}
			}
			_ = client.Close()
		})
	}
}

func repeat(c net.Conn) {
	defer func() { _ = c.Close() }()
	p := make([]byte, 64)
	for {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		if _, err := c.Write(p[:n]); err != nil {
			return
		}
	}
}

// BenchmarkCopy is a megabyte after the other over loopback.
func BenchmarkCopy(b *testing.B) {
	for _, name := range []string{"bare", "counted"} {
		b.Run(name, func(b *testing.B) {
			client, server := pair(b)
			if name == "counted" {
				client = counted.New(client, counted.Config{Idle: time.Hour}).Start()
				server = counted.New(server, counted.Config{}).Start()
			}
			p := make([]byte, 1<<20)
			go func() {
				for {
					if _, err := client.Write(p); err != nil {
						return
					}
				}
			}()
			b.SetBytes(int64(len(p)))
			buf := make([]byte, len(p))
			for b.Loop() {
				if _, err := io.ReadFull(server, buf); err != nil {
					b.Fatal(err)
				}
			}
			_ = client.Close()
		})
	}
}
