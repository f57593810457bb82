package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A plan is how long to measure.
type plan struct {
	rounds int
	slot   time.Duration // of one contender in one round
}

// A section is a part of the table.
type section struct {
	name    string
	measure func(plan, *table) error
}

var sections = []section{
	{"stack", measureStack},
	{"peers", measurePeers},
	{"loopback", measureLoopback},
	{"grpc", measureGRPC},
	{"door", measureDoor},
	{"pick", measurePicks},
	{"rules", measureRules},
	{"memory", measureMemory},
}

func main() {
	var p plan
	flag.IntVar(&p.rounds, "rounds", 7, "rounds")
	flag.DurationVar(&p.slot, "slot", 100*time.Millisecond, "how long a contender runs in a round; five times that on loopback")
	only := flag.String("only", "", "the section to measure; empty: all")
	serve := flag.String("serve", "", "be the server of the loopback section, by the CA in this directory, until standard input ends")
	flag.Parse()
	if err := run(p, *only, *serve); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// ballast is a heap such as services have, callers and servers alike. In one of next to
// nothing the collector would run every few thousand requests, and be measured above all.
const ballast = 64 << 20

func run(p plan, only, serve string) error {
	heap := make([]byte, ballast)
	defer runtime.KeepAlive(heap)
	if serve != "" {
		return serveLoopback(serve, os.Stdin, os.Stdout)
	}
	fmt.Printf("%s, %s/%s, %d cores, GOMAXPROCS %d, beside a heap of %d MiB\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), ballast>>20)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil { // where there is one
		fmt.Printf("load average before: %s; what other programs do makes times longer, and callers on two cores meet less\n", strings.Fields(string(load))[0])
	}
	measured := false
	t := newTable(os.Stdout)
	for _, s := range sections {
		if only != "" && s.name != only {
			continue
		}
		measured = true
		if err := s.measure(p, t); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !measured {
		return fmt.Errorf("-only %s: no such section; there are %s", only, names())
	}
	t.end()
	return nil
}

func names() string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}
