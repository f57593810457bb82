package discovery_test

import (
	"context"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
)

func TestStaticConforms(t *testing.T) {
	discoverytest.RunPaused(t, func(t *testing.T) discoverytest.Harness {
		static, err := discovery.NewStatic(nil)
		if err != nil {
			t.Fatal(err)
		}
		return discoverytest.Harness{
			Source: static,
			Set: func(host string, endpoints []discovery.Endpoint) {
				if err := static.Set(host, endpoints); err != nil {
					t.Fatal(err)
				}
			},
			Remove: static.Remove,
		}
	})
}

// firstAnswer is what src says of s at once.
func firstAnswer(t *testing.T, src discovery.Source, s discovery.Service) ([]discovery.Endpoint, error) {
	t.Helper()
	for endpoints, err := range src.Watch(t.Context(), s) {
		return endpoints, err
	}
	t.Fatal("the sequence ended without an answer")
	return nil, nil
}

func TestTheMostSpecificSpellingOfAServiceWins(t *testing.T) {
	s := discovery.Service{Host: "reviews.shop.svc.cluster.local", Name: "reviews", Namespace: "shop"}
	spellings := []string{"reviews", "reviews.shop", "reviews.shop.svc.cluster.local"}
	static, _ := discovery.NewStatic(nil)
	for i, name := range spellings {
		address := []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}[i]
		if err := static.Set(name, discovery.Addresses(address)); err != nil {
			t.Fatal(err)
		}
		got, err := firstAnswer(t, static, s)
		if err != nil || len(got) != 1 || got[0].Address != address {
			t.Errorf("with %q: got %v, %v, want %s", name, got, err, address)
		}
	}
}

func TestAKnownServiceMayBeEmpty(t *testing.T) {
	static, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": nil})
	if err != nil {
		t.Fatal(err)
	}
	got, err := firstAnswer(t, static, discovery.Service{Host: "reviews", Name: "reviews"})
	if len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestStaticNamesAllThatIsWrong(t *testing.T) {
	_, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"Reviews": nil,
		"ratings": discovery.Addresses("10.0.0.1:80", "10.0.0.1:80", "nowhere"),
	})
	for _, want := range []string{`"Reviews"`, `endpoint 1: address "10.0.0.1:80" is that of endpoint 0`, `endpoint 2: address "nowhere"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in: %v", want, err)
		}
	}
}

func TestABadSetChangesNothing(t *testing.T) {
	static, _ := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:80")})
	if err := static.Set("reviews", discovery.Addresses("10.0.0.1:0")); err == nil {
		t.Error("port 0 was accepted")
	}
	got, _ := firstAnswer(t, static, discovery.Service{Host: "reviews"})
	if len(got) != 1 || got[0].Address != "10.0.0.1:80" {
		t.Errorf("got %v", got)
	}
}

func TestAWatchUnderAnEndedContextSaysNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	static, _ := discovery.NewStatic(nil)
	for range static.Watch(ctx, discovery.Service{Host: "reviews"}) {
		t.Error("it yielded")
	}
}
