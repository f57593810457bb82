package main

import "time"

// A verdict is how the one did against the other.
type verdict struct{ bare, rate, p99, cpu float64 }

// A loaded side can be had under load.
type loaded interface {
	load(callers int, d time.Duration) (load, error)
}

// duel gives bare and the other a slot in turn, with n callers each. Each slot of
// the other is compared with the mean of those of bare just before and after.
func duel(p plan, n int, bare, other loaded) (verdict, error) {
	var rates, p99s, cpus, bares []float64
	before, err := bare.load(n, 5*p.slot) // warms up, too
	if err != nil {
		return verdict{}, err
	}
	if _, err := other.load(n, p.slot); err != nil {
		return verdict{}, err
	}
	for range p.rounds {
		got, err := other.load(n, 5*p.slot)
		if err != nil {
			return verdict{}, err
		}
		after, err := bare.load(n, 5*p.slot)
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
