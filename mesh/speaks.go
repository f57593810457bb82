package mesh

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
)

// An h2Probe finds out whether one address speaks HTTP/2. One of the
// requests that want to know asks; the others wait, each no longer than it may.
type h2Probe struct {
	known chan struct{} // closed when the asking is over; what follows is written before

	settled bool // false: who asked had to leave, so that another must
	err     error
	yes     bool
	until   time.Time // the answer holds; zero: it is for those alone who waited for it
}

// How long an answer holds, unless a request fails before: a server that hung up may
// have been restarting. What ALPN says is as good as a yes.
const (
	yesHolds = time.Hour
	noHolds  = time.Minute
)

// speaksHTTP2 finds out whether the server takes HTTP/2, in the clear by prior
// knowledge or by ALPN, once per address. A rule's h2UpgradePolicy UPGRADE is
// written for sidecars, which all do; here the server may be anything, and one
// that does not is spoken to in HTTP/1.1 rather than broken. The error is that no
// connection could be made, which is the request's error as well, or the end of
// ctx.
func (w *wire) speaksHTTP2(ctx context.Context, address string, now time.Time) (bool, error) {
	if p := w.answered(address, now); p != nil {
		return p.yes, nil
	}
	for ctx.Err() == nil {
		p, mine := w.probe(address)
		if mine {
			p.ask(ctx, w.dialer, address)
		}
		select {
		case <-p.known:
			if p.settled {
				return p.yes, p.err
			}
		case <-ctx.Done():
		}
	}
	return false, context.Cause(ctx)
}

// answered is the probe whose answer holds; nil: there is none.
func (w *wire) answered(address string, now time.Time) *h2Probe {
	v, _ := w.speaks.Load(address)
	p, _ := v.(*h2Probe)
	if p == nil {
		return nil
	}
	select {
	case <-p.known:
		if now.Before(p.until) {
			return p
		}
	default:
	}
	return nil
}

// probe returns the one whose answer holds or is awaited, else a new one that
// its caller must ask.
func (w *wire) probe(address string) (p *h2Probe, mine bool) {
	for {
		v, ok := w.speaks.Load(address)
		if ok && v.(*h2Probe).holds(time.Now()) {
			return v.(*h2Probe), false
		}
		p = &h2Probe{known: make(chan struct{})}
		switch {
		case ok && w.speaks.CompareAndSwap(address, v, p):
			return p, true
		case !ok:
			if _, taken := w.speaks.LoadOrStore(address, p); !taken {
				return p, true
			}
		}
	}
}

func (p *h2Probe) holds(now time.Time) bool {
	select {
	case <-p.known:
		return now.Before(p.until)
	default:
		return true // or will
	}
}

// ask asks the server, unless ctx ends before.
func (p *h2Probe) ask(ctx context.Context, d *dialer, address string) {
	defer close(p.known)
	c, err := d.connect(ctx, lineOf(address), anyHTTP)
	if err != nil {
		p.settled, p.err = !over(ctx), err
		return
	}
	if secure, ok := c.(*tls.Conn); ok {
		p.yes = secure.ConnectionState().NegotiatedProtocol == "h2"
		p.settled, p.until = true, time.Now().Add(yesHolds)
		d.spares.keep(address, p.yes, c, d.policy.ConnectTimeout)
		return
	}
	defer func() { _ = c.Close() }()
	p.yes = answersHTTP2(ctx, c, d.policy.ConnectTimeout)
	p.settled = p.yes || ctx.Err() == nil
	switch {
	case p.yes:
		p.until = time.Now().Add(yesHolds)
	case p.settled:
		p.until = time.Now().Add(noHolds)
	}
}

// over reports that a context has ended, or is about to: a dialler goes by its deadline,
// and may give up a moment before.
func over(ctx context.Context) bool {
	_, late := engine.Overdue(ctx)
	return late || ctx.Err() != nil
}

// preface opens an HTTP/2 connection: the client's preface and empty SETTINGS
// (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// answersHTTP2 reports whether the first frame that comes back is SETTINGS, as
// the server's preface must be. An HTTP/1.1 server answers text, or hangs up, or
// waits for more.
func answersHTTP2(ctx context.Context, c net.Conn, within time.Duration) bool {
	now := time.Now()
	_ = c.SetDeadline(now.Add(within))
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(now) })()
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
