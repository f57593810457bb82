package meshgrpc

import (
	"errors"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// balancerName is that of the policy that balances nothing: it hands out the
// connection to the host that the engine has picked.
const balancerName = "inmesh_obey"

// gRPC finds policies by name in a registry that is written to in init alone.
func init() { balancer.Register(builder{}) }

type builder struct{}

// Name implements balancer.Builder.
func (builder) Name() string { return balancerName }

// Build implements balancer.Builder.
func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	l := newLines(cc, bringsTLS(opts.DialCreds))
	return &obeying{l}
}

// obeying is the policy of one connection.
type obeying struct{ lines *lines }

// UpdateClientConnState implements balancer.Balancer.
func (o *obeying) UpdateClientConnState(balancer.ClientConnState) error {
	o.lines.publish()
	return nil
}

// ResolverError implements balancer.Balancer: there is nothing to resolve.
func (o *obeying) ResolverError(error) {}

// UpdateSubConnState implements balancer.Balancer; each SubConn has a listener.
func (o *obeying) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle implements balancer.Balancer: hosts are connected to when picked.
func (o *obeying) ExitIdle() {}

// Close implements balancer.Balancer.
func (o *obeying) Close() { o.lines.close() }

// A picker hands out lines. What the channel's state says is that calls are
// taken; whether a host is connected matters to those that go there.
type picker struct{ lines *lines }

var errStranger = status.Error(codes.Internal, "meshgrpc: an interceptor has replaced the context of a call")

// Pick implements balancer.Picker.
func (p picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	t := tryOf(info.Ctx)
	if t == nil {
		return balancer.PickResult{}, errStranger
	}
	for lane := 0; ; lane++ {
		l, err := p.lines.to(t, lane)
		if err != nil {
			return balancer.PickResult{}, t.unreachable(err)
		}
		if result, err := l.pick(t); err != errFull {
			return result, err
		}
	}
}

var errNoConnection = errors.New("the connection is closed")
