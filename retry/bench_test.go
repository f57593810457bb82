package retry_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func BenchmarkDecideSuccess(b *testing.B) {
	p := retry.Default()
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(retry.Try{Status: 200, GRPCStatus: -1}, 0)
	}
}

func BenchmarkNext(b *testing.B) {
	p := retry.Default()
	b.ReportAllocs()
	for b.Loop() {
		p.Next(retry.Try{Failure: retry.ConnectFailure}, 0, retry.NoDeadline)
	}
}

func BenchmarkBudgetObserve(b *testing.B) {
	at := time.Now()
	for name, c := range map[string]retry.BudgetConfig{"momentary": {}, "window": {Interval: time.Second}} {
		b.Run(name, func(b *testing.B) {
			var budget retry.Budget
			_ = budget.Configure(c)
			b.ReportAllocs()
			for b.Loop() {
				budget.Observe(at)
			}
		})
	}
}

func BenchmarkBudgetAcquireRelease(b *testing.B) {
	var budget retry.Budget
	_ = budget.Configure(retry.DefaultBudget())
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if budget.Acquire(100, at) {
			budget.Release()
		}
	}
}
