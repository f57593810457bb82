package report

import (
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Reporter is one mesh's. It is safe for concurrent use; nil tells nothing.
type Reporter struct {
	telemetry *telemetry.Telemetry
	own       *tlsid.Current // this side's credential
}

// New returns a Reporter that tells t; nil if t is.
func New(t *telemetry.Telemetry, own *tlsid.Current) *Reporter {
	if t == nil {
		return nil
	}
	return &Reporter{telemetry: t, own: own}
}

// principal is the own SPIFFE ID; "" if there is none.
func (r *Reporter) principal() string {
	own, _ := r.own.Load()
	return own.ID().String()
}
