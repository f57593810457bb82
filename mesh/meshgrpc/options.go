package meshgrpc

import (
	"math"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// options are a call's, and what the mesh has to know of them.
type options struct {
	all      []grpc.CallOption // for each try
	wait     bool              // for a connection: see grpc.WaitForReady
	headers  []*metadata.MD    // that get the answer's
	trailers []*metadata.MD    // likewise
	finished []func(error)     // told of the end of the call, rather than of each try
	most     int               // bytes of a message that may be sent
}

// read looks at each option once. There are none, as a rule. A connection of the
// caller's own does its own waiting.
func (o *options) read(opts []grpc.CallOption, wrapped bool) {
	o.all, o.most = slices.Clip(opts), math.MaxInt32 // gRPC's own limit
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.FailFastCallOption:
			o.wait = !opt.FailFast && !wrapped
		case grpc.HeaderCallOption:
			o.headers = append(o.headers, opt.HeaderAddr)
		case grpc.TrailerCallOption:
			o.trailers = append(o.trailers, opt.TrailerAddr)
		case grpc.MaxSendMsgSizeCallOption:
			o.most = opt.MaxSendMsgSize
		case grpc.OnFinishCallOption:
			o.finished = append(o.finished, opt.OnFinish)
		}
	}
	if len(o.finished) > 0 {
		o.all = slices.DeleteFunc(slices.Clone(o.all), isOnFinish)
	}
	if o.wait { // for any connection, not for one to the host that was picked first
		o.add(grpc.WaitForReady(false))
	}
}

// takeHeaders has no try fill in the answer's headers.
func (o *options) takeHeaders() {
	if len(o.headers) > 0 {
		o.all = slices.DeleteFunc(slices.Clone(o.all), isHeader)
	}
}

func isHeader(o grpc.CallOption) bool {
	_, is := o.(grpc.HeaderCallOption)
	return is
}

// clear takes back what a try has filled in that was not the last.
func (o *options) clear() {
	for _, md := range slices.Concat(o.headers, o.trailers) {
		*md = nil
	}
}

func isOnFinish(o grpc.CallOption) bool {
	_, is := o.(grpc.OnFinishCallOption)
	return is
}

func (o *options) add(opt grpc.CallOption) { o.all = append(o.all, opt) }

// finish tells who wants to know that the call is over.
func (o *options) finish(err error) {
	for _, f := range o.finished {
		f(err)
	}
}
