package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

//go:embed rules
var embedded embed.FS

// Exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program, in one of its three roles: that of a service, of who
// keeps an agent, or of who starts the others.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	role := ""
	if len(args) > 0 {
		role = args[0]
	}
	var err error
	switch role {
	case "serve":
		err = serve(ctx, args[1:], stdin, stdout)
	case "keep":
		err = keep(ctx, args[1:], stdin, stderr)
	default:
		return show(ctx, args, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "consul: %s: %v\n", role, err)
		return exitFailure
	}
	return exitOK
}

type options struct {
	once, json    bool
	n             int
	rules, consul string
}

func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("consul", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&o.once, "once", false, "read -n pages, report, and end")
	fs.IntVar(&o.n, "n", 500, "how many `pages`, with -once")
	fs.BoolVar(&o.json, "json", false, "report as one JSON object, with -once")
	fs.StringVar(&o.rules, "rules", "", "`directory` of the rules to push (default: those within the program)")
	fs.StringVar(&o.consul, "consul", "", "`path` of the agent (default: consul on the PATH, else one that Go builds)")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.n < 1:
		err = fmt.Errorf("-n %d: want 1 or more", o.n)
	case o.json && !o.once:
		err = errors.New("-json goes with -once")
	}
	return o, err
}

// show is the role of who starts the others.
func show(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "consul: %v (-help says more)\n", err)
		return exitUsage
	}
	if err := tour(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "consul: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// files are the rules to push.
func (o options) files() (out []rules.Text, _ error) {
	if o.rules != "" {
		return consul.Files(o.rules)
	}
	entries, err := embedded.ReadDir("rules")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := "rules/" + e.Name()
		data, err := embedded.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, rules.Text{Name: name, Data: data})
	}
	return out, nil
}

func tour(ctx context.Context, o options, stdout, stderr io.Writer) error {
	files, err := o.files()
	if err != nil {
		return err
	}
	path, err := findConsul(ctx, o.consul, stderr)
	if err != nil {
		return err
	}
	f, err := startFleet(ctx, path, files, stderr)
	if err != nil {
		return err
	}
	defer f.close()
	r := newReader(f)
	defer r.close()
	if o.once {
		return r.once(ctx, o, stdout)
	}
	return r.live(ctx, stdout)
}

// once reads a number of pages and reports.
func (r *reader) once(ctx context.Context, o options, stdout io.Writer) error {
	out := r.read(ctx, o.n)
	out.Refused = r.intrude(ctx)
	if err := r.deny(ctx); err == nil {
		out.Denied = true
	} else if ctx.Err() == nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted after %d of %d pages", out.Pages, o.n)
	}
	return out.print(stdout, o.json)
}

// live prints a line a second until ctx ends.
func (r *reader) live(ctx context.Context, stdout io.Writer) error {
	fmt.Fprintf(stdout, "the page is %s, Consul's is http://%s/ui\nto see and to change the rules:\n", r.fleet.url(), r.fleet.agents[0].address)
	fmt.Fprintf(stdout, "  export CONSUL_HTTP_ADDR=%s\n  go run ./examples/meshrules status\n  go run ./examples/meshrules apply examples/consul/rules\n", r.fleet.agents[0].address)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if out := r.read(ctx, 20); ctx.Err() == nil {
			if err := out.print(stdout, false); err != nil {
				return err
			}
		}
	}
}
