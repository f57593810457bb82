package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
)

// A report is the result of a bounded run.
type report struct {
	Requests  int            `json:"requests"`
	Failed    int            `json:"failed"`     // pages that were not served
	ByVersion map[string]int `json:"by_version"` // pages, by whose reviews are on them
	Retries   int            `json:"retries"`
	Ejections int            `json:"ejections"`
	MTLS      float64        `json:"mtls"`   // share of the requests between services that came over mutual TLS
	Denied    float64        `json:"denied"` // share of the requests of a service that may not call, that were refused
	P50       float64        `json:"p50_ms"` // of a page
	P99       float64        `json:"p99_ms"`
}

// once reads so many pages and reports.
func once(ctx context.Context, o options, f *fleet.Fleet, d *driver, stdout, stderr io.Writer) error {
	err := d.pages(ctx, o.n)
	p := d.counts.at(time.Now())
	r := p.report()
	r.MTLS = f.MutualTLS()
	if err == nil {
		r.Denied, err = f.Probe(ctx)
	}
	words := append(story(p, o.ill), security(r))
	if o.json {
		fmt.Fprintln(stderr, strings.Join(words, "\n"))
		return errors.Join(err, json.NewEncoder(stdout).Encode(r))
	}
	fmt.Fprintln(stdout, strings.Join(append(p.table(), words...), "\n"))
	return err
}

// security says in words who could talk to whom.
func security(r report) string {
	return fmt.Sprintf("%.1f %% of the requests between services came over mutual TLS; of those of a service that may not call, %.0f %% were refused.",
		100*r.MTLS, 100*r.Denied)
}

func (p picture) report() report {
	return report{
		Requests:  p.pages.requests,
		Failed:    p.pages.errors,
		ByVersion: p.byVersion,
		Retries:   p.pages.retries,
		Ejections: p.pages.ejections,
		P50:       inMillis(p.pages.p50),
		P99:       inMillis(p.pages.p99),
	}
}

// story says in words what the figures mean.
func story(p picture, ill string) []string {
	lines := []string{fmt.Sprintf("%d of %d pages served; the meshes tried %d requests again.",
		p.pages.requests-p.pages.errors, p.pages.requests, p.pages.retries)}
	if ill == "" {
		return lines
	}
	f := p.of(peer{"reviews", ill})
	switch {
	case f.requests == 0:
		return append(lines, fmt.Sprintf("reviews %s got no requests, so that nobody noticed that one of its servers is ill.", ill))
	case f.ejections == 0:
		return append(lines, fmt.Sprintf("One of the two servers of reviews %s is ill: %d of its %d requests failed, too few in a row to eject it. More pages (-n) would.",
			ill, f.errors, f.requests))
	}
	return append(lines,
		fmt.Sprintf("One of the two servers of reviews %s is ill. %d requests saw its 500s, then its circuit opened (ejections: %d),", ill, f.errors, f.ejections),
		fmt.Sprintf("and the other server answered: %d of the %d requests to reviews %s succeeded.", f.requests-f.errors, f.requests, ill))
}

// of is the figures of one peer.
func (p picture) of(key peer) figures {
	for _, f := range p.rows {
		if f.peer == key {
			return f
		}
	}
	return figures{peer: key}
}
