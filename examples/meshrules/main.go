package main

import (
	"cmp"
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
	exitDiffers
	exitConsul
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `usage: meshrules lint [-json] FILE|DIR...
       meshrules explain -f FILE|DIR [-json] [-from KEY=VALUE,...] [-n NAMESPACE] METHOD URL [-H 'Name: value']...
       meshrules apply|delete [-agent ADDR] [-prefix PREFIX] [-n] FILE|DIR...
       meshrules diff [-agent ADDR] [-prefix PREFIX] FILE|DIR...
       meshrules status [-agent ADDR] [-prefix PREFIX] [-json]
`

// A verb is a command. It returns the exit code; 0 with an error is exitUsage.
type verb func(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error)

// named is the verb of a name; nil for none.
func named(name string) verb {
	switch name {
	case "lint":
		return lint
	case "explain":
		return explain
	case "apply":
		return apply
	case "diff":
		return diff
	case "delete":
		return remove
	case "status":
		return status
	case "help", "-h", "-help", "--help":
		return help
	}
	return nil
}

func help(context.Context, []string, io.Writer, io.Writer) (int, error) { return 0, flag.ErrHelp }

// run is the whole program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	call := named(args[0])
	if call == nil {
		fmt.Fprintf(stderr, "meshrules: no command %q: want lint, explain, apply, diff, delete or status\n", args[0])
		return exitUsage
	}
	code, err := call(ctx, args[1:], stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitValid
	}
	if err != nil {
		fmt.Fprintf(stderr, "meshrules: %v\n", err)
		return cmp.Or(code, exitUsage)
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
