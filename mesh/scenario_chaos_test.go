package mesh_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/retry"
)

// chaos is a fleet in which everything happens at once. What it proves is what
// stands when all is quiet again.
type chaos struct {
	*scene
	hosts []*actor
}

// edition makes rules that have much in common with others, so that clusters live
// on from one to the next with changed limits, policies and connections.
func (c *chaos) edition(r *rand.Rand) []string {
	subsets := "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"
	if r.IntN(4) == 0 {
		subsets = "[{name: v1, labels: {version: v1}}]"
	}
	pools := []string{
		"{tcp: {maxConnections: 3}, http: {http1MaxPendingRequests: 5, maxRetries: 2}}",
		"{http: {http2MaxRequests: 10, maxRequestsPerConnection: 3}}",
		"{http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 4}}",
		"{tcp: {connectTimeout: 500ms, maxConnectionDuration: 2s}, http: {idleTimeout: 1s}}",
	}
	balancers := []string{"{simple: ROUND_ROBIN}", "{simple: RANDOM}", "{consistentHash: {httpCookie: {name: user, ttl: 1h}}}", "{simple: LEAST_REQUEST, warmup: {duration: 5s}}",
		"{consistentHash: {maglev: {tableSize: 251}, httpHeaderName: User-Agent}}", "{simple: LEAST_REQUEST, localityLbSetting: {failoverPriority: [rack]}}"}
	outliers := []string{"", ", outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 1s, interval: 1s, maxEjectionPercent: 100}",
		", outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 300ms, minHealthPercent: 50}"}
	budgets := []string{"", ", retryBudget: {percent: 30, minRetryConcurrency: 2}", ", retryBudget: {percent: 50, budgetInterval: 1s}"}
	route := []string{"timeout: 2s", "timeout: 300ms, retries: {attempts: 3, retryOn: '5xx,reset', perTryTimeout: 100ms}", "retries: {attempts: 0}",
		"retries: {attempts: 2, retryOn: '503,connect-failure'}, mirror: {host: shadow}", "fault: {delay: {fixedDelay: 50ms, percentage: {value: 30}}, abort: {httpStatus: 418, percentage: {value: 10}}}"}
	return []string{
		policyWith("reviews", "{loadBalancer: "+pick(r, balancers)+", connectionPool: "+pick(r, pools)+pick(r, outliers)+pick(r, budgets)+"}", subsets),
		routes("reviews", fmt.Sprintf("[{%s, route: [{destination: {host: reviews, subset: v1}, weight: 60}, {destination: {host: reviews, subset: v2}, weight: 40}]}]", pick(r, route))),
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// part is something that a host does, good or bad.
func (c *chaos) part(r *rand.Rand, a *actor) part {
	return pick(r, []part{a.says(200), a.says(200), a.says(200), a.says(500), a.says(503), hangsUp, cutOff, asksFor("1"),
		later(50*time.Millisecond, a.says(200)), later(time.Hour, a.says(200)), dripping(5, 100*time.Millisecond)})
}

// strike does one thing to the fleet.
func (c *chaos) strike(r *rand.Rand) {
	a := pick(r, c.hosts)
	switch r.IntN(12) {
	case 0:
		a.Refuse()
	case 1:
		a.Silence()
	case 2, 3:
		a.Recover()
	case 4:
		a.Describe(func(e *discovery.Endpoint) { e.Health = discovery.Health(r.IntN(3)) })
	case 5:
		if err := c.rules.Update(c.edition(r)...); err != nil {
			c.Error(err)
		}
	case 6:
		c.client.CloseIdleConnections()
	case 7:
		a.Describe(func(e *discovery.Endpoint) {
			e.Weight, e.Locality.Zone = uint32(r.IntN(5)), pick(r, []string{"", "a", "b"})
		})
	case 8: // it moves to another subset, or to none
		a.Describe(func(e *discovery.Endpoint) {
			e.Labels = map[string]string{"version": fmt.Sprint("v", r.IntN(4)), "rack": fmt.Sprint(r.IntN(2))}
		})
	default:
		a.plays(c.part(r, a))
	}
}

// call sends one request and does with its answer what callers do.
func (c *chaos) call(r *rand.Rand) {
	ctx, cancel := context.WithTimeout(c.Context(), time.Duration(1+r.IntN(3000))*time.Millisecond)
	defer cancel()
	if r.IntN(5) == 0 {
		defer time.AfterFunc(time.Duration(r.IntN(200))*time.Millisecond, cancel).Stop()
	}
	body := strings.Repeat("x", r.IntN(2)*r.IntN(100<<10))
	req, err := http.NewRequestWithContext(ctx, pick(r, []string{"GET", "POST", "PUT"}), "http://reviews/", strings.NewReader(body))
	if err != nil {
		c.Error(err)
		return
	}
	if r.IntN(2) == 0 {
		req.Body, req.GetBody, req.ContentLength = io.NopCloser(strings.NewReader(body)), nil, -1
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return // as likely as not
	}
	if r.IntN(3) > 0 {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	_ = resp.Body.Close()
}

// rage lets callers call and everything else happen, for a while.
func (c *chaos) rage(seed uint64, callers int, lasts time.Duration) {
	end := time.Now().Add(lasts)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for r := rand.New(rand.NewPCG(seed, uint64(i))); time.Now().Before(end); {
				c.call(r)
				<-time.After(time.Duration(r.IntN(20)) * time.Millisecond)
			}
		})
	}
	for r := rand.New(rand.NewPCG(seed, 1<<32)); time.Now().Before(end); {
		c.strike(r)
		<-time.After(time.Duration(1+r.IntN(30)) * time.Millisecond)
	}
	all.Wait()
}

// calm makes everybody well and waits until all that was under way has ended.
func (c *chaos) calm() {
	for i, a := range c.hosts {
		a.Recover()
		a.plays(a.says(200))
		a.Describe(func(e *discovery.Endpoint) { *e = discovery.Endpoint{Address: e.Address, Labels: versionOf(i)} })
	}
	c.pass(2 * time.Hour)
}

func newChaos(s *scene) *chaos {
	c := &chaos{scene: s}
	for i := range 6 {
		c.hosts = append(c.hosts, s.startEndpoint("reviews", fmt.Sprint(i), discovery.Endpoint{Labels: versionOf(i)}))
	}
	s.start("shadow", "shadow")
	return c
}

func versionOf(i int) map[string]string { return map[string]string{"version": fmt.Sprint("v", 1+i%2)} }

// nothingHeld looks for what ended requests have not given back.
func (c *chaos) nothingHeld() {
	c.Helper()
	for _, cl := range c.mesh.Clusters() {
		if cl.Requests != 0 || cl.Pending != 0 || cl.Retries != 0 {
			c.Errorf("still held: %+v", cl)
		}
		for _, e := range cl.Endpoints {
			if e.Active != 0 || !e.Available { // after an hour everybody may be probed
				c.Errorf("still held: %s %+v", cl.Subset, e)
			}
		}
	}
}

// noConnections looks for connections when nobody needs any.
func (c *chaos) noConnections() {
	c.Helper()
	c.client.CloseIdleConnections()
	synctest.Wait()
	if dials, open := c.cables.counts(); open != 0 {
		c.Errorf("%d of %d connections stand", open, dials)
	}
}

func TestAfterChaosAllIsAsBefore(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			hedged := func(_ *scene, cfg *mesh.Config) {
				if seed%2 == 1 {
					cfg.Hedge = retry.Hedge{Delay: 20 * time.Millisecond, Max: 2}
				}
			}
			playWith(t, nil, hedged, func(s *scene) {
				c := newChaos(s)
				c.rage(seed, 12, 10*time.Second)
				c.calm()
				c.nothingHeld()
				s.rule(oneStrike("")...)
				if got := healthy(s, c.hosts); got != len(c.hosts) {
					t.Errorf("%d of %d hosts are asked after all are well", got, len(c.hosts))
				}
				c.noConnections()
			})
		})
	}
}

func TestCloseAmidChaosLeavesNothing(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			play(t, nil, func(s *scene) {
				c := newChaos(s)
				time.AfterFunc(3*time.Second, func() { _ = s.mesh.Close() })
				c.rage(seed, 12, 5*time.Second)
				c.pass(2 * time.Hour)
				c.nothingHeld()
				c.noConnections()
			})
		})
	}
}
