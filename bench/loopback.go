package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A load is what so many callers did in one slot.
type load struct {
	perSecond float64
	p99       time.Duration
	cpu       float64 // ns of this process for each request
}

// callers send requests one after the other, each over client, for d.
func callers(client *http.Client, url string, n int, d time.Duration) (load, error) {
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	times := make([][]time.Duration, n)
	faults := make([]error, n)
	var calling sync.WaitGroup
	start, worked := time.Now(), cpu()
	for i := range n {
		calling.Go(func() { times[i], faults[i] = caller(ctx, client, url) })
	}
	calling.Wait()
	spent := time.Since(start)
	worked = cpu() - worked
	for _, err := range faults {
		if err != nil {
			return load{}, err
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	if len(all) == 0 {
		return load{}, fmt.Errorf("%d callers: no answer within %v", n, d)
	}
	done := float64(len(all))
	return load{done / spent.Seconds(), all[len(all)*99/100], float64(worked) / done}, nil
}

func caller(ctx context.Context, client *http.Client, url string) ([]time.Duration, error) {
	var times []time.Duration
	for ctx.Err() == nil {
		start := time.Now()
		resp, err := client.Get(url)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}

// wire is the http.Transport that bare and mesh both go over.
func wire() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 1024}
}

func measureLoopback(p plan, t *table) error {
	server, err := startServer()
	if err != nil {
		return err
	}
	defer server.stop()
	w := newWorld(v1(func(i int) string { return server.addresses[i] }, len(server.addresses)), 2, withTimeouts)
	m, err := w.mesh()
	if err != nil {
		return err
	}
	defer m.Close()
	direct := &http.Client{Transport: wire()}
	defer direct.CloseIdleConnections()
	through := &http.Client{Transport: m.Transport(wire())}
	t.section("Loopback, HTTP/1.1, everything on, against bare net/http")
	for _, c := range []struct {
		callers int
		least   float64
	}{{1, 0.95}, {16, 0.95}, {64, 0.92}} {
		r, err := duel(p, c.callers,
			func(n int, d time.Duration) (load, error) {
				return callers(direct, "http://"+server.addresses[0]+"/reviews/7", n, d)
			},
			func(n int, d time.Duration) (load, error) {
				return callers(through, "http://reviews/reviews/7", n, d)
			})
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d callers, bare", c.callers), figure{r.bare, "/s"})
		t.atLeast("… requests per second", figure{r.rate, "×"}, c.least)
		t.atMost("… p99", figure{r.p99, "×"}, 1.15)
		t.note("… CPU of the caller's process", figure{r.cpu, "×"})
	}
	return nil
}

// A verdict is how the one did against the other.
type verdict struct{ bare, rate, p99, cpu float64 }

type slot func(callers int, d time.Duration) (load, error)

// duel gives bare and the other a slot in turn. Each slot of the other is
// compared with the mean of those of bare just before and after.
func duel(p plan, n int, bare, other slot) (verdict, error) {
	var rates, p99s, cpus, bares []float64
	before, err := bare(n, 5*p.slot) // warms up, too
	if err != nil {
		return verdict{}, err
	}
	if _, err := other(n, p.slot); err != nil {
		return verdict{}, err
	}
	for range p.rounds {
		got, err := other(n, 5*p.slot)
		if err != nil {
			return verdict{}, err
		}
		after, err := bare(n, 5*p.slot)
		if err != nil {
			return verdict{}, err
		}
		rates = append(rates, 2*got.perSecond/(before.perSecond+after.perSecond))
		p99s = append(p99s, 2*float64(got.p99)/float64(before.p99+after.p99))
		cpus = append(cpus, 2*got.cpu/(before.cpu+after.cpu))
		bares = append(bares, after.perSecond)
		before = after
	}
	return verdict{median(bares), median(rates), median(p99s), median(cpus)}, nil
}
