package meshgrpc

import (
	"encoding/binary"
	"net"
)

// entered is a connection that has come through a server's credentials. gRPC
// cannot be told to let go of one connection. So what it writes is followed from
// frame to frame, and after the frame that ends once the door is shut, GOAWAY
// is said in gRPC's place: the caller begins no other call here, and hangs up
// when those that it has are over.
//
// gRPC writes from one goroutine at a time.
type entered struct {
	net.Conn
	door *door
	out  frames
	said bool // GOAWAY, by whomever
}

// LocalAddr implements net.Conn.
func (e *entered) LocalAddr() net.Addr { return e.door }

// Write implements net.Conn.
func (e *entered) Write(p []byte) (int, error) {
	n, err := e.Conn.Write(p)
	if e.said {
		return n, err
	}
	e.said = e.out.follow(p[:n])
	if err == nil && !e.said && e.door.shut.Load() && e.out.whole() {
		e.said = true
		_, err = e.Conn.Write(goAway)
	}
	return n, err
}

// goAway is GOAWAY of the highest stream: "A server that is attempting to
// gracefully shut down a connection SHOULD send an initial GOAWAY frame with the
// last stream identifier set to 2^31-1 and a NO_ERROR code." (RFC 9113 §6.8)
var goAway = []byte{0, 0, 8, typeGoAway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}

const (
	frameHeader      = 9 // bytes: length 3, type 1, flags 1, stream 4
	typeHeaders      = 1
	typeGoAway       = 7
	typeContinuation = 9
	flagEndHeaders   = 4
)

// frames follows the frames of one direction of a connection.
type frames struct {
	header [frameHeader]byte
	have   int // bytes of the header
	left   int // bytes of the payload, once the header is there
}

// whole reports whether the last frame is complete, and is none that CONTINUATION
// must follow: any other frame there is an error of the connection (RFC 9113 §6.10).
func (f *frames) whole() bool { return f.have == 0 && !f.continues() }

// continues looks at the last header that there was.
func (f *frames) continues() bool {
	kind, flags := f.header[3], f.header[4]
	return (kind == typeHeaders || kind == typeContinuation) && flags&flagEndHeaders == 0
}

// follow goes over what comes next, and reports whether it has seen GOAWAY.
func (f *frames) follow(p []byte) (away bool) {
	for len(p) > 0 {
		if f.have < frameHeader {
			n := copy(f.header[f.have:], p)
			f.have, p = f.have+n, p[n:]
			if f.have < frameHeader {
				return away
			}
			f.left = int(binary.BigEndian.Uint32(f.header[:]) >> 8)
			away = away || f.header[3] == typeGoAway
		}
		n := min(f.left, len(p))
		f.left, p = f.left-n, p[n:]
		if f.left == 0 {
			f.have = 0
		}
	}
	return away
}
