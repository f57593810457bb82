package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/inmesh-go/inmesh/discovery"
)

// needs are the services that this one calls.
func (s service) needs() []string {
	switch {
	case s.name == "productpage":
		return []string{"details", "reviews"}
	case s.name == "reviews" && s.version != "v1":
		return []string{"ratings"}
	}
	return nil
}

// awaitOthers returns when all instances of those it calls are known here and
// well. They start at the same time, beside other agents, and an agent tells the
// servers of them when it finds the time.
func (s service) awaitOthers(ctx context.Context, source discovery.Source) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for _, name := range s.needs() {
		if err := await(ctx, source, name, instances(name)); err != nil {
			return err
		}
	}
	return nil
}

// instances is how many there are of a service.
func instances(name string) (n int) {
	for _, s := range deployments() {
		if s.name == name {
			n++
		}
	}
	return n
}

// await returns when the source knows so many healthy endpoints of a service.
func await(ctx context.Context, source discovery.Source, name string, n int) error {
	var last error
	for endpoints, err := range source.Watch(ctx, discovery.Service{Host: name, Name: name}) {
		if last = err; err == nil && healthy(endpoints) >= n {
			return nil
		}
	}
	return fmt.Errorf("waiting for %d of %s: %w", n, name, errors.Join(last, ctx.Err()))
}

func healthy(endpoints []discovery.Endpoint) int {
	return len(slices.DeleteFunc(slices.Clone(endpoints), func(e discovery.Endpoint) bool { return e.Health != discovery.Healthy }))
}
