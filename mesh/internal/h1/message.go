package h1

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A message is a request as it goes over the wire, byte for byte what net/http
// would write. It is made once, however often it is sent, and used again for
// another request.
type message struct {
	bytes  []byte
	names  []string // of header fields, in their order
	mark   int      // where closeLine belongs
	closes bool     // it is the connection's last
	gzip   bool     // asks for gzip on the Pool's account
	inUse  bool     // somebody may still be writing it
	more   Lines    // beside the request's header fields; nil: there are none
}

const (
	userAgent = "Go-http-client/1.1" // net/http's
	closeLine = "Connection: close\r\n"
	gzipLine  = "Accept-Encoding: gzip\r\n"
)

// compose writes the request, and closes its body.
func (m *message) compose(r *http.Request, unpacks bool) error {
	m.gzip = unpacks
	m.head(r)
	if bodiless(r) {
		return nil
	}
	err := m.body(r.Body, int(r.ContentLength))
	if closed := r.Body.Close(); err == nil {
		err = closed
	}
	return err
}

func (m *message) add(parts ...string) {
	for _, s := range parts {
		m.bytes = append(m.bytes, s...)
	}
}

// head writes all that comes before the body, in net/http's order.
func (m *message) head(r *http.Request) {
	m.add(method(r), " ")
	m.target(r)
	m.add(" HTTP/1.1\r\nHost: ", hostOf(r), "\r\n")
	if agent, given := r.Header["User-Agent"]; !given {
		m.add("User-Agent: ", userAgent, "\r\n")
	} else if len(agent) > 0 && agent[0] != "" {
		m.add("User-Agent: ", trim(agent[0]), "\r\n")
	}
	m.mark = len(m.bytes)
	m.ending(r)
	m.length(r)
	m.fields(r.Header)
	if m.more != nil {
		m.bytes = m.more.AppendLines(m.bytes)
	}
	if m.gzip {
		m.add(gzipLine)
	}
	m.add("\r\n")
}

func method(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// target writes the path and the query.
func (m *message) target(r *http.Request) {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	m.add(path)
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		m.add("?", r.URL.RawQuery)
	}
}

// ending says that the connection ends, if the caller wants it to.
func (m *message) ending(r *http.Request) {
	said := r.Header["Connection"]
	m.closes = r.Close || Lists(said, "close")
	if r.Close && !Lists(said[:min(len(said), 1)], "close") { // net/http looks no further
		m.add(closeLine)
	}
}

// endConnection says so after all, for the connection has carried its number.
func (m *message) endConnection() {
	if !m.closes {
		m.closes = true
		m.bytes = slices.Insert(m.bytes, m.mark, []byte(closeLine)...)
	}
}

// Lists reports whether a header that lists options, as Connection does, has one of them.
func Lists(values []string, wanted string) bool {
	for _, v := range values {
		for option := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(trim(option), wanted) {
				return true
			}
		}
	}
	return false
}

// length: a method for which a body is expected tells that there is none.
func (m *message) length(r *http.Request) {
	switch {
	case !bodiless(r):
	case r.Method == http.MethodPost, r.Method == http.MethodPut, r.Method == http.MethodPatch:
	default:
		return
	}
	m.add("Content-Length: ")
	m.bytes = strconv.AppendInt(m.bytes, r.ContentLength, 10)
	m.add("\r\n")
}

func (m *message) fields(h http.Header) {
	for name := range h {
		m.names = append(m.names, name)
	}
	slices.Sort(m.names)
	for _, name := range m.names {
		switch name {
		case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // the request's own fields say this
		}
		for _, v := range h[name] {
			m.add(name, ": ", trim(v), "\r\n")
		}
	}
}

func trim(s string) string { return strings.Trim(s, " \t") }

// body takes in a body of so many bytes. It is at hand, so that reading it keeps
// nobody waiting.
func (m *message) body(from io.Reader, length int) error {
	start := len(m.bytes)
	m.bytes = slices.Grow(m.bytes, length+1) // one more, to see whether there is more
	room := m.bytes[start : start+length+1]
	n, err := fill(room, from)
	m.bytes = m.bytes[:start+n]
	switch {
	case err != nil:
		return err
	case n < length:
		return fmt.Errorf("h1: ContentLength is %d, and the request's body has %d bytes", length, n)
	case n > length:
		return fmt.Errorf("h1: ContentLength is %d, and the request's body has more", length)
	}
	return nil
}

// fill reads until the end, or until there is no more room. io.ReadFull would
// not tell an early end from a reader's own io.ErrUnexpectedEOF.
func fill(room []byte, from io.Reader) (n int, err error) {
	for n < len(room) && err == nil {
		var got int
		got, err = from.Read(room[n:])
		n += got
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// keptMessage is up to which size a message's room is kept for the next.
const keptMessage = 16 << 10

// clear readies the message for another request, and reports false if it is
// better forgotten.
func (m *message) clear() bool {
	if m.inUse || cap(m.bytes) > keptMessage {
		return false
	}
	clear(m.names)
	*m = message{bytes: m.bytes[:0], names: m.names[:0]}
	return true
}

func closeBody(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	return r.Body.Close()
}
