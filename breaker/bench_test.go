package breaker_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

func BenchmarkHealthyHost(b *testing.B) {
	c := breaker.NewDetector(breaker.DefaultOutlier()).NewCircuit()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		permit, _ := c.Allow(now)
		c.Report(permit, breaker.Success, now)
	}
}

func BenchmarkHealthyHostParallel(b *testing.B) {
	c := breaker.NewDetector(breaker.DefaultOutlier()).NewCircuit()
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			permit, _ := c.Allow(now)
			c.Report(permit, breaker.Success, now)
		}
	})
}

func BenchmarkFailingHost(b *testing.B) {
	o := breaker.DefaultOutlier()
	o.AlwaysEjectOne = false // one host in rotation, for good
	c := breaker.NewDetector(o).NewCircuit()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		permit, _ := c.Allow(now)
		c.Report(permit, breaker.ServerError, now)
	}
}

// What a failure costs must not depend on how many hosts there are.
func BenchmarkEjectionAmong10000(b *testing.B) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx = 1
	d := breaker.NewDetector(o)
	c := d.NewCircuit()
	for range 9_999 {
		d.NewCircuit()
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		permit, _ := c.Allow(now)
		now = c.Report(permit, breaker.ServerError, now).Until
	}
}

func BenchmarkGate(b *testing.B) {
	g := limited()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = g.AcquireRequest()
		_ = g.AcquireSlot(ctx)
		g.ReleaseSlot()
		g.ReleaseRequest()
	}
}

// Nothing but counting on every core at once: the worst case.
func BenchmarkGateParallel(b *testing.B) {
	g := limited()
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = g.AcquireRequest()
			_ = g.AcquireSlot(ctx)
			g.ReleaseSlot()
			g.ReleaseRequest()
		}
	})
}

func limited() *breaker.Gate {
	g := new(breaker.Gate)
	g.SetLimits(breaker.Limits{MaxConnections: 100, MaxPending: 100, MaxRequests: 1000})
	return g
}
