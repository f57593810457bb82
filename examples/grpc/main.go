package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

//go:embed rules
var embedded embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	once, json bool
	n          int
	rules      string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	set := flag.NewFlagSet("grpc", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&o.once, "once", false, "make -n calls of each kind, report, and end")
	set.IntVar(&o.n, "n", 500, "how many calls of each kind, with -once")
	set.BoolVar(&o.json, "json", false, "report as one JSON object, with -once")
	set.StringVar(&o.rules, "rules", "", "directory of the rules (default: examples/grpc/rules where that is there, else those within the program)")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	switch {
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	case o.n < 1:
		err = fmt.Errorf("-n %d: want 1 or more", o.n)
	case o.json && !o.once:
		err = errors.New("-json goes with -once")
	}
	return o, err
}

// run is the whole program; ctx ends it early. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "grpc: %v (-help says more)\n", err)
		return 2
	}
	if err := tour(ctx, o, stdout); err != nil {
		fmt.Fprintf(stderr, "grpc: %v\n", err)
		return 1
	}
	return 0
}

// source is the rules: a directory that is watched, or what is built in.
func (o options) source() (rules.Source, error) {
	const beside = "examples/grpc/rules"
	if o.rules != "" {
		return rules.Dir(o.rules), nil
	}
	if _, err := os.Stat(beside); err == nil {
		return rules.Dir(beside), nil
	}
	built, err := fs.Sub(embedded, "rules")
	return rules.FS(built), err
}

func tour(ctx context.Context, o options, stdout io.Writer) error {
	source, err := o.source()
	if err != nil {
		return err
	}
	f, err := startFleet(ctx, source)
	if err != nil {
		return err
	}
	defer f.close()
	desk, err := f.dial(ctx, "desk")
	if err != nil {
		return err
	}
	if o.once {
		return f.once(ctx, o, desk, stdout)
	}
	return f.live(ctx, desk, stdout)
}

// once makes a number of calls and reports.
func (f *fleet) once(ctx context.Context, o options, desk *grpc.ClientConn, stdout io.Writer) error {
	r := newReport()
	for range o.n {
		r.round(ctx, desk)
	}
	r.Retries, r.MTLS = f.retries.Load(), f.mutual()
	stranger, err := f.dial(ctx, "stranger")
	if err != nil {
		return err
	}
	r.Denied = probe(ctx, stranger, 10)
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.print(stdout, o.json)
}

// live prints a line a second, until ctx ends.
func (f *fleet) live(ctx context.Context, desk *grpc.ClientConn, stdout io.Writer) error {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for r, since, retried := newReport(), time.Now(), int64(0); ; {
		select {
		case <-pace.C:
			r.round(ctx, desk)
		case <-ctx.Done():
			return nil
		}
		if time.Since(since) < time.Second {
			continue
		}
		all := f.retries.Load()
		r.Retries, retried = all-retried, all
		if err := r.print(stdout, false); err != nil {
			return err
		}
		r, since = newReport(), time.Now()
	}
}
