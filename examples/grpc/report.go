package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A report is the result of a bounded run.
type report struct {
	Unary   map[string]int `json:"unary"`   // calls that succeeded, by the version that answered
	Streams map[string]int `json:"streams"` // likewise
	Failed  int            `json:"failed"`
	Retries int64          `json:"retries"`
	Denied  float64        `json:"denied"` // share of the stranger's calls
	MTLS    float64        `json:"mtls"`   // share of the calls that came in
}

func newReport() *report { return &report{Unary: map[string]int{}, Streams: map[string]int{}} }

// round makes one call of each kind.
func (r *report) round(ctx context.Context, conn grpc.ClientConnInterface) {
	count := func(by map[string]int, version string, err error) {
		if err != nil {
			r.Failed++
			return
		}
		by[version]++
	}
	version, err := get(ctx, conn)
	count(r.Unary, version, err)
	version, err = follow(ctx, conn)
	count(r.Streams, version, err)
}

// probe makes calls that are to be refused, and returns the share that was.
func probe(ctx context.Context, conn grpc.ClientConnInterface, n int) float64 {
	denied := 0
	for range n {
		if _, err := get(ctx, conn); status.Code(err) == codes.PermissionDenied {
			denied++
		}
		if _, err := follow(ctx, conn); status.Code(err) == codes.PermissionDenied {
			denied++
		}
	}
	return float64(denied) / float64(2*n)
}

// mutual is the share of the calls that servers got whose caller is proven.
func (f *fleet) mutual() float64 {
	var calls, mutual int64
	for _, q := range f.quotes {
		calls, mutual = calls+q.calls.Load(), mutual+q.mutual.Load()
	}
	return float64(mutual) / float64(max(calls, 1))
}

func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := fmt.Fprintf(w, "unary %v, streams %v; %d failed, %d tries were followed by another\n", r.Unary, r.Streams, r.Failed, r.Retries)
	return err
}
