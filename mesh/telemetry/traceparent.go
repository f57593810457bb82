package telemetry

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"go.opentelemetry.io/otel/trace"
)

// W3C trace context, read and written by hand: through the propagator it costs
// five times as much. https://www.w3.org/TR/trace-context/

// traceparentLength is that of version 00: 00-<32>-<16>-<2>.
const traceparentLength = 55

// parseTraceparent reads the header. "Vendors MUST ignore the traceparent when
// the version is ff", when an ID is all zero, or when a letter is not lower case.
// Of higher versions they read what they know, if a hyphen follows it.
func parseTraceparent(s string) (sc trace.SpanContextConfig, ok bool) {
	if len(s) < traceparentLength || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return sc, false
	}
	var version, flags [1]byte
	if !unhex(version[:], s[:2]) || !unhex(sc.TraceID[:], s[3:35]) || !unhex(sc.SpanID[:], s[36:52]) || !unhex(flags[:], s[53:55]) {
		return sc, false
	}
	switch {
	case version[0] == 0xff, !sc.TraceID.IsValid(), !sc.SpanID.IsValid():
		return sc, false
	case version[0] == 0 && (len(s) > traceparentLength || flags[0] > 3):
		return sc, false
	case len(s) > traceparentLength && s[traceparentLength] != '-':
		return sc, false
	}
	sc.TraceFlags = trace.TraceFlags(flags[0]) & (trace.FlagsSampled | trace.FlagsRandom)
	sc.Remote = true
	return sc, true
}

// unhex reads lower-case hexadecimal digits.
func unhex(to []byte, s string) bool {
	for i := range to {
		hi, lo := nibble(s[2*i]), nibble(s[2*i+1])
		if hi|lo > 15 {
			return false
		}
		to[i] = hi<<4 | lo
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// A Room is where a header is written: for those who have one at hand. It is used
// once, for its memory is the header's from then on.
type Room struct {
	text  [traceparentLength]byte
	value [1]string
}

// write is the header as a map of headers has it.
func (r *Room) write(at *trace.SpanContextConfig) []string {
	writeTraceparent(&r.text, at)
	r.value[0] = unsafe.String(&r.text[0], len(r.text)) // nobody writes to it again
	return r.value[:]
}

// appendTraceparent appends the header.
func appendTraceparent(b []byte, at *trace.SpanContextConfig) []byte {
	var text [traceparentLength]byte
	writeTraceparent(&text, at)
	return append(b, text[:]...)
}

func writeTraceparent(b *[traceparentLength]byte, at *trace.SpanContextConfig) {
	b[0], b[1], b[2], b[35], b[52] = '0', '0', '-', '-', '-'
	writeHex(b[3:], at.TraceID[0:])
	writeHex(b[11:], at.TraceID[4:])
	writeHex(b[19:], at.TraceID[8:])
	writeHex(b[27:], at.TraceID[12:])
	writeHex(b[36:], at.SpanID[0:])
	writeHex(b[44:], at.SpanID[4:])
	b[53], b[54] = '0', '0'+byte(at.TraceFlags&(trace.FlagsSampled|trace.FlagsRandom))
}

// writeHex writes four bytes in eight digits.
func writeHex(b, raw []byte) {
	binary.BigEndian.PutUint64(b, hexDigits(binary.BigEndian.Uint32(raw)))
}

// hexDigits are the eight of x, the first in the highest byte: x is spread out to
// half a byte in each byte, of which those above nine become letters.
func hexDigits(x uint32) uint64 {
	v := uint64(x)
	v = (v<<16 | v) & 0x0000ffff0000ffff
	v = (v<<8 | v) & 0x00ff00ff00ff00ff
	v = (v<<4 | v) & 0x0f0f0f0f0f0f0f0f
	letters := (v + 0x0606060606060606) >> 4 & 0x0101010101010101
	return v + 0x3030303030303030 + letters*('a'-'9'-1)
}

// parseTracestate reads the headers, of which there may be several: they "MUST
// be handled as specified by RFC 9110, Section 5.3", joined. What is not valid is
// left out as a whole, and harms the traceparent in no way.
func parseTracestate(headers []string) trace.TraceState {
	if len(headers) == 0 {
		return trace.TraceState{}
	}
	ts, err := trace.ParseTraceState(shorten(strings.Join(headers, ",")))
	if err != nil {
		return trace.TraceState{}
	}
	return ts
}

// longestTracestate: "Vendors SHOULD propagate at least 512 characters of a
// combined header."
const longestTracestate = 512

// shorten drops whole entries of a list that is too long: "Entries larger than
// 128 characters long SHOULD be removed first", then those at the end.
func shorten(list string) string {
	if len(list) <= longestTracestate {
		return list
	}
	entries := strings.Split(list, ",")
	length := len(list)
	for i := len(entries) - 1; i >= 0 && length > longestTracestate; i-- {
		if len(entries[i]) > 128 {
			length -= len(entries[i]) + 1
			entries = append(entries[:i], entries[i+1:]...)
		}
	}
	for n := len(entries) - 1; n >= 0 && length > longestTracestate; n-- {
		length -= len(entries[n]) + 1
		entries = entries[:n]
	}
	return strings.Join(entries, ",")
}
