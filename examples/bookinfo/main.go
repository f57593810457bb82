package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
)

// Exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program; ctx ends it early.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr, isTerminal(stdout))
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "bookinfo: %v (-help says more)\n", err)
		return exitUsage
	}
	if err := tour(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "bookinfo: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// tour starts everything, shows the traffic, and ends everything in reverse.
func tour(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, clean, err := rulesDir(o.rules)
	if err != nil {
		return err
	}
	defer clean()

	out := newScreen(stdout, o.terminal)
	if o.once {
		out = newScreen(stderr, false) // standard output is for the result alone
	}
	counts := newTally(o.window())
	f, err := fleet.Start(ctx, fleet.Config{Rules: dir, Ill: o.ill, Observer: observer{counts, out}.hooks, Event: out.event})
	if err != nil {
		return err
	}
	defer f.Close()

	d := newDriver(f.Page(), counts)
	defer d.close()
	if o.once {
		return once(ctx, o, f, d, stdout, stderr)
	}
	out.event("the mesh: %s", f.Admin())
	return live(ctx, o, d, out, dir)
}
