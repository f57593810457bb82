package main

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// roundRobin is the balancer that people write by hand.
type roundRobin struct {
	next  atomic.Uint64
	hosts []string
	base  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *roundRobin) RoundTrip(r *http.Request) (*http.Response, error) {
	out := new(http.Request)
	*out = *r
	out.URL = new(url.URL)
	*out.URL = *r.URL
	out.URL.Host = b.hosts[b.next.Add(1)%uint64(len(b.hosts))]
	return b.base.RoundTrip(out)
}

// breaking puts a gobreaker around base.
type breaking struct {
	circuit *gobreaker.CircuitBreaker[*http.Response]
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.circuit.Execute(func() (*http.Response, error) { return b.base.RoundTrip(r) })
}

func robin(base http.RoundTripper) http.RoundTripper {
	return &roundRobin{hosts: []string{"10.0.0.1:9080", "10.0.0.2:9080", "10.0.0.3:9080"}, base: base}
}

func failsafe(base http.RoundTripper) http.RoundTripper {
	return failsafehttp.NewRoundTripper(base,
		failsafehttp.NewRetryPolicyBuilder().Build(),
		circuitbreaker.NewWithDefaults[*http.Response](),
		timeout.New[*http.Response](5*time.Second))
}

func retryable(base http.RoundTripper) http.RoundTripper {
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.HTTPClient.Transport = base
	return &retryablehttp.RoundTripper{Client: c}
}

func peers() []stack {
	return []stack{
		peer("round robin over 3, by hand", robin(canned{})),
		peer("gobreaker", breaking{gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{}), canned{}}),
		peer("go-retryablehttp", retryable(canned{})),
		peer("failsafe-go: retry, breaker, timeout", failsafe(canned{})),
		peer("otelhttp, no SDK", otelhttp.NewTransport(canned{})),
		peer("as assembled today: otelhttp, failsafe-go, round robin", otelhttp.NewTransport(failsafe(robin(canned{})))),
	}
}

func peer(name string, rt http.RoundTripper) stack {
	return stack{variant: variant{name: name}, rt: rt}
}

func measurePeers(p plan, t *table) error {
	t.section("Peers over the same canned RoundTripper, one core")
	all := peers()
	for i, each := range times(p, all) {
		t.note(all[i].name, figure{best(each), "ns"})
		t.note("… allocations", figure{all[i].allocations(), ""})
	}
	return nil
}
