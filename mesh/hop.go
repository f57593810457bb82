package mesh

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A hop is what a try tells the next hop beside the request's own headers: how
// long it may take, the how manyth it is, the place in its trace, who calls. A
// first try without a deadline and without a trace says nothing, which costs
// nothing.
type hop struct {
	x        *exchange
	call     *engine.Call
	deadline time.Time       // zero: none
	told     *[1]string      // room for the value that says so; nil: there is none
	trace    *telemetry.Room // room for that of Traceparent; nil: there is none
}

// tells reports whether there is anything to write, or to take out.
func (h *hop) tells(r *http.Request) bool {
	return !h.deadline.IsZero() || h.call.Tries > 1 || h.introduces() ||
		h.x.report.Carries() != telemetry.CarriesNothing || h.looks(r) && h.bears(r, bearsPeer)
}

// looks reports whether it matters that the request has what somebody else has said of
// himself. Where no report has looked at the head anyhow, that is so only if it could
// be believed: of a caller who has proven nothing nobody believes it.
func (h *hop) looks(r *http.Request) bool {
	return h.x.held.secure || h.x.report.Begun() || r.URL.Scheme != "http"
}

// introduces: who is calling is told as Istio's proxies do, for the labels of the
// other side's metrics. Whoever has not proven to be of the mesh is not told; nor
// does anybody hear what a handler passes on that its own caller has said.
func (h *hop) introduces() bool { return h.x.held.secure && h.x.t.mesh.metadata[0] != "" }

// bears reports whether one of the names that are asked for stands in the request.
func (h *hop) bears(r *http.Request, any bearing) bool {
	switch x := h.x; {
	case x.report.Begun() && !x.ownHeader:
		return x.head.bears&any != 0 // it is the head that has been read
	case any == bearsPeer:
		return len(r.Header[telemetry.MetadataHeader]) > 0
	}
	return headOf(r.Header).bears&any != 0
}

// apart reports whether AppendLines would do: that nothing of it stands in the
// request already.
func (h *hop) apart(r *http.Request) bool {
	return h.x.report.Carries() != telemetry.CarriesMore && !h.bears(r, bearsPeer|bearsTrace|bearsHop)
}

// hopNames are those of the headers that a hop writes.
type hopNames struct {
	timeout, attempt, peer string
	lower                  bool
}

var (
	canonicalNames = hopNames{headerExpectedTimeout, headerAttemptCount, telemetry.MetadataHeader, false}
	lowerNames     = hopNames{"x-envoy-expected-rq-timeout-ms", "x-envoy-attempt-count", "x-envoy-peer-metadata", true}
)

// names are as net/http spells them or, where nothing stands under those, as HTTP/2
// does: it would make them so in each request anew.
func (h *hop) names(r *http.Request, h2 bool) *hopNames {
	if h2 && h.apart(r) {
		return &lowerNames
	}
	return &canonicalNames
}

// stamp writes what it tells into a copy of the request's headers.
func (h *hop) stamp(r *http.Request, as *hopNames) {
	header := maps.Clone(r.Header)
	if header == nil {
		header = http.Header{}
	}
	if !h.deadline.IsZero() {
		header[as.timeout] = h.wait()
	}
	if h.call.Tries > 1 {
		header[as.attempt] = []string{strconv.Itoa(h.call.Tries)}
	}
	if h.x.report.Carries() != telemetry.CarriesNothing {
		h.x.report.Inject(r.Context(), h.x.held.report, telemetry.Carrier{Header: header, Lower: as.lower, Untraced: !h.bears(r, bearsTrace), Room: h.trace})
	}
	switch {
	case h.introduces():
		header[as.peer] = h.x.t.mesh.metadata[:]
	case h.looks(r) && h.bears(r, bearsPeer):
		delete(header, telemetry.MetadataHeader)
	}
	r.Header = header
}

// milliseconds the try may take, rounded up, so that the next hop does not give up
// before this one.
func (h *hop) milliseconds() int64 {
	d := h.deadline.Sub(h.call.Sent())
	return int64(max(d+time.Millisecond-1, time.Millisecond) / time.Millisecond)
}

func (h *hop) wait() []string {
	if h.told == nil {
		h.told = new([1]string)
	}
	h.told[0] = h.x.waits.text(h.milliseconds())
	return h.told[:]
}

// A written number is kept as text: most tries may take as long as the one before.
type written struct {
	number int64
	as     string
}

func (w *written) text(n int64) string {
	if w.number != n || w.as == "" {
		w.number, w.as = n, strconv.FormatInt(n, 10)
	}
	return w.as
}

// AppendLines implements h1.Lines: the same as stamp, without a copy.
func (h *hop) AppendLines(b []byte) []byte {
	if !h.deadline.IsZero() {
		b = append(b, headerExpectedTimeout+": "...)
		b = append(strconv.AppendInt(b, h.milliseconds(), 10), "\r\n"...)
	}
	if h.call.Tries > 1 {
		b = append(b, headerAttemptCount+": "...)
		b = append(strconv.AppendInt(b, int64(h.call.Tries), 10), "\r\n"...)
	}
	if h.x.report.Carries() != telemetry.CarriesNothing {
		b = append(b, "Traceparent: "...)
		b = append(h.x.report.AppendTraceparent(b, h.x.held.report), "\r\n"...)
	}
	if h.introduces() {
		b = append(b, telemetry.MetadataHeader+": "...)
		b = append(append(b, h.x.t.mesh.metadata[0]...), "\r\n"...)
	}
	return b
}
