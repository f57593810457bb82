package main

import (
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A clock tells the time that is measured.
type clock func() time.Duration

// wall is the time that passes.
func wall() time.Duration { return time.Since(began) }

var began = time.Now()

// cpu is the time that all cores have spent on this process. On one core it is
// what wall would be if the machine were ours alone.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // of arguments that are constants
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

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
func alternate(p plan, now clock, contenders ...contender) [][]float64 {
	counts := make([]int, len(contenders))
	for i, c := range contenders {
		counts[i] = calibrate(c, p.slot)
	}
	times := make([][]float64, len(contenders))
	for range p.rounds {
		for i, c := range contenders {
			times[i] = append(times[i], perOp(now, c, counts[i]))
		}
	}
	return times
}

// calibrate finds how many operations fill a slot.
func calibrate(c contender, slot time.Duration) int {
	n := 1
	for {
		spent := time.Duration(perOp(wall, c, n) * float64(n))
		if spent >= slot/10 {
			return max(int(float64(n)*float64(slot)/float64(spent)), 1)
		}
		n *= 4
	}
}

func perOp(now clock, c contender, n int) float64 {
	runtime.GC() // what others have left behind
	start := now()
	c(n)
	return float64(now()-start) / float64(n)
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

// scaling is the throughput of two callers on two cores against that of one, as
// far as the contender decides it: what an operation costs the cores more when
// two are at it, is missing from twice the throughput. Time that other programs
// take does not count.
func scaling(p plan, caller func() contender) figure {
	var all [][]float64
	onCores(2, func() { all = alternate(p, cpu, parallel(1, caller), parallel(2, caller)) })
	return figure{2 * median(ratios(all[0], all[1])), "×"}
}

// onCores runs measure with so many of them.
func onCores(n int, measure func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	measure()
}

// best is the fastest round: what the others took longer is the machine's doing.
func best(of []float64) float64 { return slices.Min(of) }

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
