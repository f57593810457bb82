package main

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// A contender does its operation n times.
type contender func(n int)

// each makes a contender of one operation.
func each(op func()) contender {
	return func(n int) {
		for range n {
			op()
		}
	}
}

// alternate lets the contenders take turns, and returns for each the nanoseconds
// per operation of every round.
func alternate(p plan, contenders ...contender) [][]float64 {
	counts := make([]int, len(contenders))
	for i, c := range contenders {
		counts[i] = calibrate(c, p.slot)
	}
	times := make([][]float64, len(contenders))
	for range p.rounds {
		for i, c := range contenders {
			times[i] = append(times[i], perOp(c, counts[i]))
		}
	}
	return times
}

// calibrate finds how many operations fill a slot.
func calibrate(c contender, slot time.Duration) int {
	n := 1
	for {
		spent := time.Duration(perOp(c, n) * float64(n))
		if spent >= slot/10 {
			return max(int(float64(n)*float64(slot)/float64(spent)), 1)
		}
		n *= 4
	}
}

func perOp(c contender, n int) float64 {
	runtime.GC() // what others have left behind
	start := time.Now()
	c(n)
	return float64(time.Since(start)) / float64(n)
}

// parallel spreads a contender over the cores; op(core) makes the operation of
// one of them.
func parallel(cores int, op func() contender) contender {
	ops := make([]contender, cores)
	for i := range ops {
		ops[i] = op()
	}
	return func(n int) {
		var running sync.WaitGroup
		for _, c := range ops {
			running.Go(func() { c(n / cores) })
		}
		running.Wait()
	}
}

// onCores runs measure with so many of them.
func onCores(n int, measure func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	measure()
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// ratios compares a with b, round by round.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}
