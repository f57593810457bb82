package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	drawEvery = 500 * time.Millisecond
	sayEvery  = time.Second // where nothing can be redrawn
)

// live drives traffic and shows it, until ctx ends or the time is up.
func live(ctx context.Context, o options, d *driver, out *screen, dir string) error {
	if o.length > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, o.length)
		defer stop()
	}
	out.event("the page: %s", d.url)
	out.event("the rules: %s; edit them while this runs", dir)

	over := make(chan struct{})
	go func() {
		defer close(over)
		d.steady(ctx, o.pace)
	}()
	show(over, o, d.counts, out)
	if !o.terminal {
		out.event("%s", strings.Join(d.counts.at(time.Now()).table(), "\n"))
	}
	return nil
}

// show shows the counts until over, and once more then.
func show(over <-chan struct{}, o options, counts *tally, out *screen) {
	begin := time.Now()
	every := sayEvery
	if o.terminal {
		every = drawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-tick.C:
		}
		p := counts.at(time.Now())
		if o.terminal {
			out.draw(append(p.table(), footer(o, time.Since(begin))))
		} else if running {
			out.event("%s", p.plain())
		}
	}
}

func footer(o options, up time.Duration) string {
	return fmt.Sprintf("%d pages/s for %v; share, p50 and p99 of the last %v.  Ctrl-C ends.", o.pace, up.Round(time.Second), recently)
}
