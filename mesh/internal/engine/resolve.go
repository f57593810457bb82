package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/inmesh-go/inmesh/discovery"
)

// watchOf is the watch of a feed that has a source.
func watchOf(f feed) func(context.Context) iter.Seq2[[]discovery.Endpoint, error] {
	if f.names == nil {
		return func(ctx context.Context) iter.Seq2[[]discovery.Endpoint, error] { return f.source.Watch(ctx, f.ask) }
	}
	return func(ctx context.Context) iter.Seq2[[]discovery.Endpoint, error] {
		return func(yield func([]discovery.Endpoint, error) bool) { resolve(ctx, f, yield) }
	}
}

// A resolved is one answer about one name.
type resolved struct {
	index     int
	endpoints []discovery.Endpoint
	err       error
}

// resolve watches all names of a feed at once and yields the union of their
// addresses, from the moment that each name has been answered once. A name in
// trouble keeps its last addresses.
func resolve(ctx context.Context, f feed, yield func([]discovery.Endpoint, error) bool) {
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan resolved)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	for i, name := range f.names {
		watchers.Go(func() { resolveOne(ctx, f.source, i, name, answers) })
	}
	u := union{byName: make([][]discovery.Endpoint, len(f.names)), heard: map[int]bool{}}
	for {
		select {
		case a := <-answers:
			if !u.hear(a, yield) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// A union is the addresses of several names.
type union struct {
	byName [][]discovery.Endpoint
	heard  map[int]bool
}

func (u *union) hear(a resolved, yield func([]discovery.Endpoint, error) bool) bool {
	u.heard[a.index] = true
	if a.err == nil || errors.Is(a.err, discovery.ErrUnknown) {
		u.byName[a.index] = a.endpoints
	}
	if len(u.heard) < len(u.byName) {
		return true
	}
	all, err := u.all(), a.err
	if len(all) > 0 || err == nil {
		if !yield(all, nil) {
			return false
		}
	}
	if len(all) > 0 && errors.Is(err, discovery.ErrUnknown) {
		err = fmt.Errorf("one of the service's names: %v", err) // which is not unknown itself
	}
	return err == nil || yield(nil, err)
}

func (u *union) all() []discovery.Endpoint {
	var out []discovery.Endpoint
	seen := map[string]bool{}
	for _, eps := range u.byName {
		for _, e := range eps {
			if !seen[e.Address] {
				seen[e.Address] = true
				out = append(out, e)
			}
		}
	}
	return out
}

// resolveOne follows one name; what it finds has the attributes of the entry.
func resolveOne(ctx context.Context, src discovery.Source, index int, entry discovery.Endpoint, answers chan<- resolved) {
	send := func(a resolved) bool {
		select {
		case answers <- a:
			return true
		case <-ctx.Done():
			return false
		}
	}
	host, port := hostPort(entry.Address)
	if strings.HasPrefix(entry.Address, "unix://") || net.ParseIP(host) != nil {
		send(resolved{index: index, endpoints: []discovery.Endpoint{entry}})
		return
	}
	for eps, err := range src.Watch(ctx, discovery.Service{Host: host, Name: host, Port: port}) {
		found := make([]discovery.Endpoint, len(eps))
		for i, e := range eps {
			found[i] = entry
			found[i].Address = e.Address
		}
		if !send(resolved{index, found, err}) {
			return
		}
	}
}

func hostPort(address string) (string, uint16) {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return host, uint16(n)
}

// Find asks where a service lives, by its host in a namespace, as calls to it would.
// It starts no cluster.
func (e *Engine) Find(ctx context.Context, name, namespace string) ([]discovery.Endpoint, error) {
	f := e.feedOf(e.Plan().ClusterOf(name, namespace))
	if f.source == nil {
		return f.fixed, nil
	}
	for endpoints, err := range watchOf(f)(ctx) {
		return endpoints, err
	}
	return nil, context.Cause(ctx)
}
