package consul_test

import (
	"slices"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/internal/consultest"
)

// The server that the process goes by is cut off from the others, first one that
// follows, then the leader: what it knows stands, grows old, and follows when the
// network is whole again. No request fails.
func TestEndpointsStandOnTheWrongSideOfAPartition(t *testing.T) {
	t.Parallel()
	cluster, network := consultest.StartOver(t, 3)
	leader := cluster.Leader()
	others := slices.DeleteFunc(slices.Clone(cluster.Servers), func(a *consultest.Agent) bool { return a == leader })
	for name, local := range map[string]*consultest.Agent{"by a follower": others[0], "by the leader": leader} {
		t.Run(name, func(t *testing.T) {
			f := newField(t, cluster, local)
			network.Divide(local)
			defer network.Heal()
			eventually(t, "the rest has a leader", func() bool { l := cluster.Leader(); return l != nil && l != local })
			f.add()
			eventually(t, "what is known grows old", func() bool { return f.oldest() > 6*time.Second })
			f.knowsOnly(len(f.ports) - 1)
			f.stands()
			network.Heal()
			t.Logf("followed after the network was whole again: %v", f.awaitAll())
			f.stands()
		})
	}
}

// knowsOnly fails the test if more instances have become known.
func (f *field) knowsOnly(n int) {
	f.t.Helper()
	for len(f.sets) > 0 {
		if set := <-f.sets; len(set) > n {
			f.t.Errorf("the partition leaks: %v", set)
		}
	}
}

// oldest is the largest age of what the watches know.
func (f *field) oldest() (age time.Duration) {
	for _, s := range f.source.Status() {
		age = max(age, s.Age(time.Now()))
	}
	return age
}
