package mesh

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// An h2cProbe remembers whether one address speaks HTTP/2 in the clear.
type h2cProbe struct {
	mu    sync.Mutex // held while probing: one connection finds out for all who wait
	until time.Time  // the answer holds; zero: not asked yet
	yes   bool
}

// How long an answer holds: a server that hung up may have been restarting.
const (
	yesHolds = time.Hour
	noHolds  = time.Minute
)

// speaksH2C finds out whether the server takes HTTP/2 by prior knowledge, once
// per address. A rule's h2UpgradePolicy UPGRADE is written for sidecars, which
// all do; here the server may be anything, and one that does not is spoken to
// in HTTP/1.1 rather than broken.
func (w *wire) speaksH2C(ctx context.Context, address string) bool {
	v, ok := w.speaks.Load(address)
	if !ok {
		v, _ = w.speaks.LoadOrStore(address, new(h2cProbe))
	}
	return v.(*h2cProbe).ask(ctx, w.dialer, address)
}

func (p *h2cProbe) ask(ctx context.Context, d *dialer, address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.After(p.until) {
		c, err := d.dial(ctx, "tcp", address)
		if err != nil {
			return false // the request itself will say what is wrong
		}
		defer func() { _ = c.Close() }()
		p.yes, p.until = answersHTTP2(ctx, c, d.policy.ConnectTimeout), now.Add(noHolds)
		if p.yes {
			p.until = now.Add(yesHolds)
		}
	}
	return p.yes
}

// preface opens an HTTP/2 connection: the client's preface and empty SETTINGS
// (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// answersHTTP2 reports whether the first frame that comes back is SETTINGS, as
// the server's preface must be. An HTTP/1.1 server answers text, or hangs up.
func answersHTTP2(ctx context.Context, c net.Conn, within time.Duration) bool {
	deadline := time.Now().Add(within)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = c.SetDeadline(deadline)
	if _, err := io.WriteString(c, preface); err != nil {
		return false
	}
	var frame [9]byte
	if _, err := io.ReadFull(c, frame[:]); err != nil {
		return false
	}
	const typeSettings = 0x4
	length := binary.BigEndian.Uint32([]byte{0, frame[0], frame[1], frame[2]})
	return frame[3] == typeSettings && length%6 == 0 && length <= 16<<10
}
