package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
)

const (
	readers  = 16              // pages under way at once, at most
	patience = 9 * time.Second // of a reader; the table has no room for more
)

// A driver is the readers of the page, outside the mesh: plain HTTP clients.
type driver struct {
	client *http.Client
	url    string
	counts *tally
}

func newDriver(url string, counts *tally) *driver {
	return &driver{
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: readers}},
		url:    url,
		counts: counts,
	}
}

func (d *driver) close() { d.client.CloseIdleConnections() }

// pages reads n pages as fast as they come, or fewer if ctx ends first; the
// error says how many.
func (d *driver) pages(ctx context.Context, n int) error {
	var begun atomic.Int64
	d.drive(func() bool { return ctx.Err() == nil && begun.Add(1) <= int64(n) })
	if done := d.counts.at(time.Now()).pages.requests; done < n {
		return fmt.Errorf("interrupted after %d of %d pages", done, n)
	}
	return nil
}

// steady reads pages at an even pace until ctx ends.
func (d *driver) steady(ctx context.Context, perSecond int) {
	limit := rate.NewLimiter(rate.Limit(perSecond), 1)
	d.drive(func() bool { return limit.Wait(ctx) == nil })
}

// drive reads pages while next agrees. A page that has been begun is read to
// its end.
func (d *driver) drive(next func() bool) {
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			for next() {
				d.read(users()[i%len(users())])
			}
		})
	}
	all.Wait()
}

// users are who reads; one of them is the tester of Istio's own samples.
func users() []string { return []string{"jason", "alice", "bob", "carol"} }

func (d *driver) read(user string) {
	begin := time.Now()
	version, err := d.get(user)
	if err != nil {
		version = ""
	}
	end := time.Now()
	d.counts.page(version, end.Sub(begin), end)
}

// get returns whose reviews are on the page.
func (d *driver) get(user string) (version string, err error) {
	r, err := http.NewRequest(http.MethodGet, d.url, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set(fleet.UserHeader, user)
	resp, err := d.client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", d.url, resp.Status)
	}
	return resp.Header.Get(fleet.VersionHeader), nil
}
