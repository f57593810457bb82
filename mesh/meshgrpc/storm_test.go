package meshgrpc_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// pages are rules that change: a rules.Source.
type pages chan string

// Watch implements rules.Source.
func (p pages) Watch(ctx context.Context) iter.Seq2[*rules.Set, error] {
	return func(yield func(*rules.Set, error) bool) {
		for {
			select {
			case page := <-p:
				if !yield(load(ctx, page)) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func load(ctx context.Context, page string) (*rules.Set, error) {
	for set, err := range rules.Static(page).Watch(ctx) {
		return set, err
	}
	return nil, ctx.Err()
}

// page is rules that differ in what connections depend on.
func page(n int) string {
	return virtualService(`
  - route: [{destination: {host: ratings}}]
    retries: {attempts: 5, retryOn: "reset,unavailable,connect-failure", backoff: 1ms}`) +
		destinationRule(fmt.Sprintf("  trafficPolicy: {loadBalancer: {simple: %s}, connectionPool: {tcp: {connectTimeout: %ds}}}",
			[]string{"ROUND_ROBIN", "RANDOM", "LEAST_REQUEST"}[n%3], 1+n%2))
}

// A storm is streams among instances that come and go.
type storm struct {
	t      *testing.T
	fleet  *fleet
	client testpb.TestServiceClient
	dead   sync.Map // address
	opened atomic.Int64
	broken atomic.Int64
}

const where = "x-instance"

func (s *storm) start() *instance {
	i := s.fleet.start("ratings", "v1")
	i.double.onStream(func(b bidi) error { return b.SendHeader(metadata.Pairs(where, i.endpoint.Address)) })
	return i
}

// talk opens streams, one after the other, and has each echo a few messages.
func (s *storm) talk(until time.Time) {
	for time.Now().Before(until) {
		address, err := s.one()
		s.opened.Add(1)
		if err == nil {
			continue
		}
		s.broken.Add(1)
		if _, died := s.dead.Load(address); !died {
			s.t.Errorf("a stream on %q broke: %v", address, err)
		}
	}
}

func (s *storm) one() (address string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := s.client.FullDuplexCall(ctx)
	if err != nil {
		return "", err
	}
	header, _ := b.Header()
	if len(header[where]) == 0 {
		_, err := b.Recv()
		return "", fmt.Errorf("no header: %w", err)
	}
	address = header[where][0]
	for range 4 {
		if err := b.Send(message(100)); err != nil {
			_, err := b.Recv()
			return address, err
		}
		if _, err := b.Recv(); err != nil {
			return address, err
		}
		<-time.After(100 * time.Millisecond)
	}
	_ = b.CloseSend()
	if _, err := b.Recv(); err != io.EOF {
		return address, err
	}
	return address, nil
}

func TestAThousandStreamsWhileEndpointsComeAndGoAndRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storm{t: t, fleet: newFleet(t)}
		var living []*instance
		for range 10 {
			living = append(living, s.start())
		}
		book := make(pages, 1)
		book <- page(0)
		s.client = s.fleet.clientOf(mesh.Config{Rules: book}, "ratings")
		until := time.Now().Add(1500 * time.Millisecond)
		var talkers sync.WaitGroup
		for range 1000 {
			talkers.Go(func() { s.talk(until) })
		}
		for n := 1; time.Now().Before(until); n++ {
			<-time.After(100 * time.Millisecond)
			living = append(living, s.start())
			leaving := living[0]
			living = living[1:]
			leaving.withdraw()
			if n%3 == 0 { // the others go on serving what they have
				s.dead.Store(leaving.endpoint.Address, true)
				leaving.die()
			}
			if n%4 == 0 {
				book <- page(n)
			}
		}
		talkers.Wait()
		if s.opened.Load() < 3000 {
			t.Errorf("%d streams only", s.opened.Load())
		}
		t.Logf("%d streams, of which %d broke with their instance", s.opened.Load(), s.broken.Load())
	})
}
