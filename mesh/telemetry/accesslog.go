package telemetry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
)

// Wants reports whether a Result of this reporter should have Details: for the
// access log, or for expressions of rules. A Span that is Recording wants them,
// too.
func (t *Telemetry) Wants(r Reporter) bool {
	s := t.side(r)
	return s.tagged || t.logs(s)
}

// logs reports whether a side has an access log.
func (t *Telemetry) logs(s *side) bool {
	switch {
	case t.config.AccessLog == nil:
		return false
	case s.logging.decided:
		return !s.logging.disabled
	}
	return t.config.LogRequests
}

// Log writes a line about a request into the access log, if there is one, if the
// rules' filter says so, and if its share of the requests does: a Result without
// Details is not logged. It is called beside Record.
func (t *Telemetry) Log(ctx context.Context, e *Edge, r *Result) {
	s := t.side(e.link.Reporter)
	if r.Details == nil || !t.logs(s) {
		return
	}
	if f := s.logging.filter; f != nil && !f.Eval(&environment{r, e}).IsTrue() {
		return
	}
	if rand.Float64() >= t.config.LogFraction {
		return
	}
	t.config.AccessLog.LogAttrs(ctx, slog.LevelInfo, "access", e.fields(r)...)
}

// fields are those of Istio's default log format in JSON, with "-" for what is
// not known; numbers are numbers, durations milliseconds.
// https://istio.io/latest/docs/tasks/observability/logs/access-log/
func (e *Edge) fields(r *Result) []slog.Attr {
	d := r.Details
	path := d.OriginalPath
	if path == "" {
		path = d.Path
	}
	return []slog.Attr{
		slog.String("reporter", e.link.Reporter.String()),
		slog.Time("start_time", r.Start),
		field("method", d.Method),
		field("path", path),
		field("protocol", d.Protocol),
		slog.Int("response_code", r.Code),
		field("response_flags", r.Flags.String()),
		field("response_code_details", d.CodeDetails),
		field("connection_termination_details", d.Termination),
		field("upstream_transport_failure_reason", d.TransportFailure),
		slog.Int64("bytes_received", r.RequestBytes-d.RequestHead),
		slog.Int64("bytes_sent", r.ResponseBytes-d.ResponseHead),
		slog.Float64("duration", milliseconds(r.Duration)),
		upstreamTime(d.Upstream),
		field("x_forwarded_for", strings.Join(d.RequestHeader["X-Forwarded-For"], ",")),
		field("user_agent", first(d.RequestHeader, "User-Agent")),
		field("request_id", first(d.RequestHeader, "X-Request-Id")),
		field("authority", d.Host),
		field("upstream_host", d.UpstreamAddress),
		field("upstream_cluster", d.Cluster),
		field("upstream_local_address", d.UpstreamLocalAddress),
		field("downstream_local_address", d.DestinationAddress),
		field("downstream_remote_address", d.SourceAddress),
		field("requested_server_name", d.ServerName),
		field("route_name", d.Route),
		slog.Int("attempts", d.Attempts),
		field("peer", e.link.Peer.Principal),
		traceID(r),
	}
}

func field(name, value string) slog.Attr {
	if value == "" {
		value = "-"
	}
	return slog.String(name, value)
}

func upstreamTime(d time.Duration) slog.Attr {
	if d <= 0 {
		return slog.String("upstream_service_time", "-")
	}
	return slog.Float64("upstream_service_time", milliseconds(d))
}

func traceID(r *Result) slog.Attr {
	if !r.Span.IsValid() {
		return slog.String("trace_id", "-")
	}
	return slog.String("trace_id", r.Span.TraceID().String())
}
