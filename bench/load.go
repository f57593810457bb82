package main

import (
	"context"
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

// load has n callers send requests for d.
func (s side) load(n int, d time.Duration) (load, error) {
	return underLoad(n, d, func(i int) error { return s.get(s.url(i)) })
}

// underLoad has n callers call for d, at least once each, and again once they have
// their answers.
func underLoad(n int, d time.Duration, call func(caller int) error) (load, error) {
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	times := make([][]time.Duration, n)
	faults := make([]error, n)
	var calling sync.WaitGroup
	start, worked := time.Now(), cpu()
	for i := range n {
		calling.Go(func() { times[i], faults[i] = repeat(ctx, func() error { return call(i) }) })
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
	done := float64(len(all))
	return load{done / spent.Seconds(), all[len(all)*99/100], float64(worked) / done}, nil
}

func repeat(ctx context.Context, call func() error) ([]time.Duration, error) {
	var times []time.Duration
	for {
		start := time.Now()
		if err := call(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		if ctx.Err() != nil {
			return times, nil
		}
	}
}

// get sends one request, and makes sure that its answer came over the wire that
// is to be measured.
func (s side) get(url string) error {
	return s.read(s.client.Get(url))
}

func (s side) read(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	return s.wire.check(resp)
}
