package telemetry

import (
	"strings"

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

const hexDigits = "0123456789abcdef"

// appendTraceparent writes the header.
func appendTraceparent(b []byte, sc *trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b = append(b, "00-"...)
	b = appendHex(b, traceID[:])
	b = append(b, '-')
	b = appendHex(b, spanID[:])
	return appendHex(append(b, '-'), []byte{byte(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))})
}

func appendHex(b, raw []byte) []byte {
	for _, c := range raw {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
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
