package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An observer turns what meshes tell into counts and lines. The hooks are called
// on the goroutines of requests, so they only count.
type observer struct {
	counts *tally
	screen *screen
}

// hooks is what the mesh of a service is given. Every mesh reads the same rules;
// one of them tells of that.
func (o observer) hooks(service string, versions map[string]string) mesh.Observer {
	at := func(service, endpoint, subset string) peer {
		service, _, _ = strings.Cut(service, ".") // reviews.default.svc.cluster.local
		return peer{service, cmp.Or(versions[endpoint], subset, "-")}
	}
	h := mesh.Observer{
		Request: func(i mesh.RequestInfo) {
			failed := i.Err != nil || i.Status >= 500
			o.counts.request(at(i.Service, i.Endpoint, i.Subset), i.Duration, failed, time.Now())
		},
		Retry:     func(i mesh.RetryInfo) { o.counts.retry(at(i.Service, i.Endpoint, i.Subset)) },
		Circuit:   func(i mesh.CircuitInfo) { o.circuit(at(i.Service, i.Endpoint, i.Subset), i) },
		Discovery: func(i mesh.DiscoveryInfo) { o.screen.event("%s: endpoints of %s: %v", service, i.Service, i.Err) },
	}
	if service == "productpage" {
		h.Rules = o.rules()
	}
	return h
}

func (o observer) circuit(p peer, i mesh.CircuitInfo) {
	switch i.Event.Kind {
	case breaker.Ejected:
		o.counts.ejected(p, i.Endpoint)
		o.screen.event("%s %s at %s ejected for %v: %v",
			p.service, p.version, i.Endpoint, time.Until(i.Event.Until).Round(time.Second), i.Event.Reason)
	case breaker.Readmitted:
		o.counts.readmitted(p, i.Endpoint)
		o.screen.event("%s %s at %s is back: its probe succeeded", p.service, p.version, i.Endpoint)
	case breaker.HalfOpened:
		o.screen.event("%s %s at %s may prove itself with one request", p.service, p.version, i.Endpoint)
	default:
		o.screen.event("%s %s at %s: %v", p.service, p.version, i.Endpoint, i.Event.Kind)
	}
}

// rules says that rules are in force, or each reason why not; warnings again
// only if they are others than before. Rules come one after the other; where the
// first are rejected there is no tour, whose error says so.
func (o observer) rules() func(mesh.RulesInfo) {
	var warned rules.Faults
	standing := false
	return func(i mesh.RulesInfo) {
		if i.Err != nil {
			if standing {
				o.screen.event("rules rejected, those before stay in force:\n%v", i.Err)
			}
			return
		}
		standing = true
		o.counts.restart()
		o.screen.event("rules in force, version %.8s", i.Version)
		if !slices.Equal(warned, i.Warnings) {
			warned = i.Warnings
			for _, w := range warned {
				o.screen.event("warning: %v", w)
			}
		}
	}
}
