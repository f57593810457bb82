package report

import (
	"sync"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Reporter is one mesh's. It is safe for concurrent use; nil tells nothing.
type Reporter struct {
	telemetry *telemetry.Telemetry
	own       *tlsid.Current    // this side's credential
	service   telemetry.Service // that this side serves

	met     acquaintance
	served  sync.Pool             // of *Served
	streams *flight.Board[Stream] // that are followed
}

// New returns a Reporter that tells t; own is this side's credential, service what
// it serves.
func New(t *telemetry.Telemetry, own *tlsid.Current, service telemetry.Service) *Reporter {
	r := &Reporter{telemetry: t, own: own, service: service, streams: flight.New[Stream]()}
	r.served.New = func() any { return r.Served() }
	return r
}

// Wants reports whether somebody reads the details of every call.
func (r *Reporter) Wants() bool { return r != nil && r.telemetry.Wants(telemetry.Source) }

// principal is the own SPIFFE ID; "" if there is none.
func (r *Reporter) principal() string {
	own, _ := r.own.Load()
	return own.ID().String()
}
