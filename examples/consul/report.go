package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A report is what became of pages.
type report struct {
	Pages     int            `json:"pages"`
	Failed    int            `json:"failed"`
	Failure   string         `json:"failure,omitempty"` // why the first one did
	ByVersion map[string]int `json:"by_version"`        // whose reviews were on the page
	// MTLS is the share of pages whose reviews were asked for by productpage, as its
	// certificate says; Refused that of services that answered nobody without one.
	MTLS    float64 `json:"mtls"`
	Refused float64 `json:"refused"`
	// Denied says that details has refused productpage when an intention denied it.
	Denied    bool   `json:"denied"`
	Servers   int    `json:"servers"`
	Processes int    `json:"processes"`
	Rules     string `json:"rules"` // the version that all processes go by

	mutual int
}

// A reader reads pages, as people do: without an identity.
type reader struct {
	client *http.Client
	fleet  *fleet
}

func newReader(f *fleet) *reader {
	return &reader{&http.Client{Timeout: 30 * time.Second, Transport: new(http.Transport)}, f}
}

func (r *reader) close() { r.client.CloseIdleConnections() }

// read reads n pages, or fewer if ctx ends.
func (r *reader) read(ctx context.Context, n int) *report {
	out := &report{ByVersion: map[string]int{}, Servers: len(r.fleet.agents), Processes: len(r.fleet.instances), Rules: r.fleet.version}
	for range n {
		var a answer
		err := get(ctx, r.client, r.fleet.url(), &a)
		if ctx.Err() != nil {
			break
		}
		out.count(a, err)
	}
	out.MTLS = share(out.mutual, out.Pages-out.Failed)
	return out
}

func (out *report) count(a answer, err error) {
	out.Pages++
	if err != nil {
		out.Failed++
		out.Failure = cmp.Or(out.Failure, err.Error())
		return
	}
	out.ByVersion[a.Version]++
	if strings.HasPrefix(a.Caller, "spiffe://") && strings.HasSuffix(a.Caller, "/svc/productpage") {
		out.mutual++
	}
}

// intrude asks services behind the page without an identity.
func (r *reader) intrude(ctx context.Context) float64 {
	refused, behind := 0, r.fleet.instances[1:]
	for _, in := range behind {
		if err := get(ctx, r.client, "http://"+in.address+"/", new(answer)); err != nil {
			refused++
		}
	}
	return share(refused, len(behind))
}

func share(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

func (out *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(out)
	}
	_, err := fmt.Fprintf(w, "%d pages, %d failed; reviews by %v; %.0f%% over mutual TLS\n", out.Pages, out.Failed, out.ByVersion, 100*out.MTLS)
	return err
}
