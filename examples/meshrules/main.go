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

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Exit codes.
const (
	exitValid = iota
	exitInvalid
	exitUsage
	exitRefused
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `usage: meshrules lint [-json] FILE|DIR...
       meshrules explain -f FILE|DIR [-json] [-from KEY=VALUE,...] [-n NAMESPACE] METHOD URL [-H 'Name: value']...
`

// run is the whole program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var code int
	var err error
	switch args[0] {
	case "lint":
		code, err = lint(args[1:], stdout, stderr)
	case "explain":
		code, err = explain(ctx, args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		err = flag.ErrHelp
	default:
		err = fmt.Errorf("no command %q: want lint or explain", args[0])
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitValid
	}
	if err != nil {
		fmt.Fprintf(stderr, "meshrules: %v\n", err)
		return exitUsage
	}
	return code
}

// parse reads flags that may stand anywhere among the arguments, and returns
// the other arguments.
func parse(fs *flag.FlagSet, args []string) (rest []string, err error) {
	fs.SetOutput(io.Discard) // errors are the caller's to tell
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// exitCode is what the worst of the faults means for the caller.
func exitCode(faults rules.Faults) int {
	switch faults.Worst() {
	case rules.Invalid:
		return exitInvalid
	case rules.Refused:
		return exitRefused
	}
	return exitValid
}
