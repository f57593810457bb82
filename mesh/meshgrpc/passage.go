package meshgrpc

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A passage is a call to a host that is not the mesh's: it passes as it is, and
// telemetry counts it.
type passage struct {
	reporter *report.Reporter
	ctx      context.Context
	host     string
	method   string
	header   map[string][]string
	start    time.Time
	once     sync.Once
}

// passage is nil if nobody is told.
func (r *rpc) passage() *passage {
	to := r.client.mesh.Reporter
	if to == nil {
		return nil
	}
	return &passage{reporter: to, ctx: r.ctx, host: r.service, method: r.method, header: r.call.Request.Header, start: r.call.Start}
}

// options are a stream's, that its end is told.
func (p *passage) options(own []grpc.CallOption) []grpc.CallOption {
	if p == nil {
		return own
	}
	return append(own[:len(own):len(own)], grpc.OnFinish(p.over))
}

// over tells what the call has come to, once.
func (p *passage) over(err error) {
	if p != nil {
		p.once.Do(func() { p.tell(err) })
	}
}

func (p *passage) tell(err error) {
	r := telemetry.Result{Start: p.start, Duration: time.Since(p.start), Code: 200, GRPC: int(codeOf(err))}
	if err != nil && errors.Is(p.ctx.Err(), context.Canceled) {
		r.Code, r.Flags = 0, telemetry.DownstreamGone
	}
	p.reporter.Pass(p.ctx, telemetry.GRPC, p.host, &r, p.describe)
}

func (p *passage) describe(d *telemetry.Details) {
	*d = telemetry.Details{
		Method: http.MethodPost, Scheme: "http", Host: p.host, Path: p.method, Protocol: protocol,
		RequestHeader: spelt(p.header), Cluster: telemetry.Passthrough, Attempts: 1,
	}
}
