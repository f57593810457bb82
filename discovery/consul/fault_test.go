package consul_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh"
)

// A field is where faults are tried: a cluster, an agent beside the process under
// test, and a service of instances that no agent looks after, so that nothing
// but the test changes them. A mesh sends requests to them all the time.
type field struct {
	root    *testing.T // the whole test, at whose end instances end
	t       *testing.T // the part that runs
	cluster *consultest.Cluster
	local   *consultest.Agent
	source  *consul.Source
	*follower
	ports   []int // of the instances
	lost    *atomic.Int32
	traffic *traffic
}

// newField is in a cluster, by the agent local.
func newField(t *testing.T, cluster *consultest.Cluster, local *consultest.Agent) *field {
	f := &field{root: t, t: t, cluster: cluster, local: local, lost: new(atomic.Int32)}
	// Agents that stream do not notice that an index has gone backwards: what was
	// restored is seen when a query's wait is over.
	source, err := consul.NewSource(dial(t, f.local), consul.Config{Wait: 5 * time.Second})
	must(t, err)
	f.source = source
	f.write("no instances of another field", func(leader *api.Client) error {
		_, err := leader.Catalog().Deregister(&api.CatalogDeregistration{Node: "machine"}, nil)
		return err
	})
	f.add()
	f.add()
	f.follower = follow(t, witnessed{f.source, f.lost}, reviews)
	f.awaitAll()
	f.traffic = drive(t, newMesh(t, mesh.Config{Discovery: source, OutboundPolicy: mesh.RegistryOnly}))
	return f
}

// witnessed counts the times at which endpoints that there were are no more.
type witnessed struct {
	discovery.Source
	lost *atomic.Int32
}

func (w witnessed) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		some := false
		for endpoints, err := range w.Source.Watch(ctx, s) {
			if some && (errors.Is(err, discovery.ErrUnknown) || err == nil && len(endpoints) == 0) {
				w.lost.Add(1)
			}
			some = some || len(endpoints) > 0
			if !yield(endpoints, err) {
				return
			}
		}
	}
}

// add registers one more instance with the leader.
func (f *field) add() {
	f.t.Helper()
	port := serve(f.root)
	f.write(fmt.Sprint("the instance ", port), func(leader *api.Client) error {
		_, err := leader.Catalog().Register(&api.CatalogRegistration{
			Node: "machine", Address: "127.0.0.1",
			Service: &api.AgentService{ID: fmt.Sprint("reviews-", port), Service: "reviews", Port: port, Address: "127.0.0.1"},
		}, nil)
		return err
	})
	f.ports = append(f.ports, port)
}

// write has the leader do something. Another one may be elected meanwhile, also
// because this machine is busy.
func (f *field) write(what string, do func(leader *api.Client) error) {
	f.t.Helper()
	eventually(f.t, what, func() bool {
		err := do(dial(f.t, f.cluster.Leader()))
		if err != nil {
			f.t.Logf("%s: %v", what, err)
		}
		return err == nil
	})
}

// awaitAll waits until the instances that were added are the endpoints.
func (f *field) awaitAll() time.Duration {
	f.t.Helper()
	var want []string
	for _, port := range f.ports {
		want = append(want, fmt.Sprintf("127.0.0.1:%d healthy", port))
	}
	slices.Sort(want)
	return f.await(fmt.Sprint("the instances ", want), healths(want...))
}

// stands fails the test if the endpoints have been gone at any time, or a request
// has failed.
func (f *field) stands() {
	f.t.Helper()
	if n := f.lost.Load(); n > 0 {
		f.t.Errorf("the endpoints were gone %d times", n)
	}
	if n := f.traffic.failed.Load(); n > 0 {
		f.t.Errorf("%d requests failed", n)
	}
}

func TestEndpointsStandThroughFaultsAndFollowAfterThem(t *testing.T) {
	t.Parallel()
	cluster := consultest.StartCluster(t, 3)
	f := newField(t, cluster, cluster.StartClient())
	for _, fault := range []struct {
		name string
		try  func()
	}{
		{"the leader is killed", f.killLeader},
		{"the local agent is killed", f.killLocal},
		{"the local agent is frozen", f.freezeLocal},
		{"the servers have no majority", f.loseMajority},
		{"an old snapshot is restored", f.restore},
	} {
		t.Run(fault.name, func(t *testing.T) {
			f.on(t)
			fault.try()
			f.stands()
		})
	}
}

// on makes a test the one that fails.
func (f *field) on(t *testing.T) { f.t, f.follower.t = t, t }

func (f *field) killLeader() {
	leader := f.cluster.Leader()
	leader.Kill()
	f.add()
	f.t.Logf("followed after another leader was elected: %v", f.awaitAll())
	leader.Restart()
}

func (f *field) killLocal() {
	f.local.Kill()
	f.awaitError("dial tcp " + f.local.Address() + ": connect: connection refused")
	f.troubled(0)
	f.add()
	f.local.Restart()
	f.t.Logf("followed after the agent came back: %v", f.awaitAll())
}

// freezeLocal freezes the agent for half a minute: queries are sent, not answered,
// and given up.
func (f *field) freezeLocal() {
	f.local.Pause()
	thawed := time.After(30 * time.Second)
	f.add()
	f.awaitError("no answer within")
	<-thawed
	f.troubled(10 * time.Second) // the first seconds may have gone by before the last answer was read
	f.local.Resume()
	f.t.Logf("followed after the agent woke up: %v", f.awaitAll())
}

// loseMajority freezes two of three servers, so that nobody leads the third.
func (f *field) loseMajority() {
	leader := f.cluster.Leader()
	others := slices.DeleteFunc(slices.Clone(f.cluster.Servers), func(a *consultest.Agent) bool { return a == leader })
	for _, a := range others {
		a.Pause()
	}
	<-time.After(3 * time.Second)
	for _, a := range others {
		a.Resume()
	}
	f.add()
	f.t.Logf("followed after the majority was back: %v", f.awaitAll())
}

// troubled waits until all watches, the mesh's and the test's, show trouble, and
// fails the test if what is known is not older than age.
func (f *field) troubled(age time.Duration) {
	f.t.Helper()
	var status []consul.Status
	eventually(f.t, "all watches are in trouble", func() bool {
		status = f.source.Status()
		return !slices.ContainsFunc(status, func(s consul.Status) bool { return s.Err == nil })
	})
	for _, s := range status {
		if s.Endpoints == 0 || s.Age(time.Now()) <= age {
			f.t.Errorf("the status is %+v", s)
		}
	}
}

// restore takes the state of the cluster back to before 30 writes and the last
// instance.
func (f *field) restore() {
	var saved []byte
	f.write("a snapshot", func(leader *api.Client) error {
		snapshot, _, err := leader.Snapshot().Save(nil)
		if err != nil {
			return err
		}
		saved, err = io.ReadAll(snapshot)
		return errors.Join(err, snapshot.Close())
	})
	for i := range 30 {
		f.write("a key", func(leader *api.Client) error {
			_, err := leader.KV().Put(&api.KVPair{Key: fmt.Sprint("key", i)}, nil)
			return err
		})
	}
	before := f.ports
	f.add()
	f.awaitAll()
	f.write("the snapshot again", func(leader *api.Client) error {
		return leader.Snapshot().Restore(nil, bytes.NewReader(saved))
	})
	f.ports = before
	f.t.Logf("followed back: %v", f.awaitAll())
	f.add()
	f.t.Logf("followed after that: %v", f.awaitAll())
}

// Two hundred processes lose their agent and get it back: how many queries come
// in one second is bounded, and all follow again.
func TestTwoHundredClientsDoNotComeBackAtOnce(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	c := catalog{t, dial(t, agent)}
	c.register("reviews", "127.0.0.1:1001")
	var load load
	followers := make([]*follower, 200)
	for i := range followers {
		followers[i] = follow(t, consul.Discovery(newClient(t, &api.Config{Address: agent.Address(), HttpClient: load.client(t)})), reviews)
	}
	for _, f := range followers {
		f.await("the service", healths("127.0.0.1:1001 healthy"))
	}
	agent.Kill()
	<-time.After(3 * time.Second)
	agent.Restart()
	back := time.Now()
	c.register("reviews", "127.0.0.1:1002")
	for _, f := range followers {
		f.await("the service again", func(endpoints []discovery.Endpoint) bool { return len(endpoints) == 2 })
	}
	most := load.most(back)
	t.Logf("200 clients: at most %d queries in one second, all back after %v", most, time.Since(back))
	if most > 2*len(followers) { // one that does not wait, and one that does
		t.Errorf("%d queries in one second of 200 clients", most)
	}
}

// A load is the times of queries.
type load struct {
	mu    sync.Mutex
	times []time.Time
}

func (l *load) client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: counting{l, transport}}
}

type counting struct {
	load *load
	next http.RoundTripper
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.load.mu.Lock()
	c.load.times = append(c.load.times, time.Now())
	c.load.mu.Unlock()
	return c.next.RoundTrip(r)
}

// most is the largest number of queries in one second since then.
func (l *load) most(since time.Time) (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seconds := map[time.Duration]int{}
	for _, at := range l.times {
		if at.After(since) {
			seconds[at.Sub(since)/time.Second]++
		}
	}
	for _, n := range seconds {
		most = max(most, n)
	}
	return most
}
