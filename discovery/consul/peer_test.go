package consul_test

import (
	"errors"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// That a peer exports nothing has the index of nothing, and is known all the same.
func TestAPeerThatExportsNothingIsNoTrouble(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	source, err := consul.NewSource(dial(t, agent), consul.Config{
		Places: []consul.Place{{}, {Peer: "cluster-b"}}, Wait: 200 * time.Millisecond, Interval: 10 * time.Millisecond,
	})
	must(t, err)
	f := follow(t, source, reviews)
	f.awaitError("unknown service")
	asked := source.Status()[1].Known
	eventually(t, "more answers about the peer", func() bool { return source.Status()[1].Known.After(asked.Add(time.Second)) })
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	f.await("the service at home", healths("127.0.0.1:1001 healthy"))
	for len(f.errs) > 0 {
		if err := <-f.errs; !errors.Is(err, discovery.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	}
}
