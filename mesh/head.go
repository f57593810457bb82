package mesh

import (
	"net/http"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A head is what telemetry is told of the headers of a request, or of an answer,
// and what hops ask of them. To go through a map costs what a few searches in it
// do, so that it is gone through once.
type head struct {
	size  int64 // of the lines, in HTTP/1.1
	bears bearing
}

// A bearing is which names stand in a head, of those that somebody asks for.
type bearing uint8

const (
	bearsTrace   bearing = 1 << iota // one of the W3C's names
	bearsPeer                        // telemetry.MetadataHeader
	bearsHop                         // what else a hop writes
	bearsUpgrade                     // Upgrade
	bearsHost                        // Host, which net/http takes out in HTTP/1
)

// bearingOf knows names as net/http spells them.
func bearingOf(name string) bearing {
	switch name {
	case "Traceparent", "Tracestate", "Baggage":
		return bearsTrace
	case telemetry.MetadataHeader:
		return bearsPeer
	case headerExpectedTimeout, headerAttemptCount:
		return bearsHop
	case "Upgrade":
		return bearsUpgrade
	case "Host":
		return bearsHost
	}
	return 0
}

func headOf(h http.Header) (out head) {
	for name, values := range h {
		out.size += linesOf(name, values)
		out.bears |= bearingOf(name)
	}
	return out
}

func linesOf(name string, values []string) (n int64) {
	for _, v := range values {
		n += int64(len(name) + len(v) + len(": \r\n"))
	}
	return n
}

// firstLine is the size of a request's or an answer's first line, of which the
// parts have so many bytes, of the line Host, and of the end of the head.
func firstLine(parts int) int64 {
	return int64(parts + len("GET  HTTP/1.1\r\nHost: \r\n\r\n") - len("GET"))
}

// A headReader remembers the names in the head that it has read last. Those in the
// next one are mostly the same, with one value each: then a search for each, if they
// are few, takes less than to go through the map.
type headReader struct {
	names []string // of room
	room  [4]string
	head  // without the values
}

func (r *headReader) read(h http.Header) head {
	if len(h) == len(r.names) {
		if size, same := r.again(h); same {
			return head{size, r.bears}
		}
	}
	if len(h) <= len(r.room) {
		r.remember(h)
	}
	return headOf(h)
}

// again reports false if the names are not those that are remembered, of which
// there are as many, or one has not one value.
func (r *headReader) again(h http.Header) (size int64, same bool) {
	size = r.size
	for _, name := range r.names {
		values := h[name]
		if len(values) != 1 {
			return 0, false
		}
		size += int64(len(values[0]))
	}
	return size, true
}

// remember keeps names that have one value each, unless somebody makes them long.
func (r *headReader) remember(h http.Header) {
	r.names, r.head = r.room[:0], head{}
	for name, values := range h {
		if len(values) != 1 || len(name) > longestName {
			r.names, r.head = nil, head{}
			return
		}
		r.names = append(r.names, name)
		r.size += linesOf(name, values) - int64(len(values[0]))
		r.bears |= bearingOf(name)
	}
}

// longestName is more than names in use have.
const longestName = 64
