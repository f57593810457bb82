package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
)

// options are the flags, checked.
type options struct {
	rules    string        // directory; "" means to look for it
	once     bool          // count pages and end, instead of the live table
	n        int           // how many pages, with once
	json     bool          // with once
	pace     int           // pages per second, without once
	length   time.Duration // without once; 0: until interrupted
	ill      string        // the version of reviews with an ill server, "" for none
	terminal bool
}

const (
	maxPages    = 1_000_000 // each leaves a sample behind
	maxPace     = 10_000    // pages a second
	plainLength = 15 * time.Second
	recently    = 10 * time.Second // what shares and percentiles of the live table look at
)

// window is how far back shares and percentiles look; 0 is to the start.
func (o options) window() time.Duration {
	if o.once {
		return 0
	}
	return recently
}

// parseOptions reads the flags. -help writes the usage to stderr; errors are the
// caller's to tell.
func parseOptions(args []string, stderr io.Writer, terminal bool) (options, error) {
	o := options{terminal: terminal}
	fs := o.flags()
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		fs.SetOutput(stderr)
		fs.PrintDefaults()
	}
	if err != nil {
		return options{}, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if err := o.check(set, fs.Args()); err != nil {
		return options{}, err
	}
	if !o.once && !terminal && !set["for"] {
		o.length = plainLength
	}
	return o, nil
}

const usage = `usage: bookinfo [-rules DIR] [-break VERSION] [-rps N] [-for DURATION]
       bookinfo [-rules DIR] [-break VERSION] -once [-n N] [-json]
`

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("bookinfo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {} // not at every mistake
	fs.StringVar(&o.rules, "rules", "", "`directory` of the rule files (default: examples/bookinfo/rules, ./rules, or a copy from within the program)")
	fs.BoolVar(&o.once, "once", false, "run -n pages as fast as they come, report, and end")
	fs.IntVar(&o.n, "n", 2000, "how many `pages`, with -once")
	fs.BoolVar(&o.json, "json", false, "report one JSON object on standard output, with -once")
	fs.IntVar(&o.pace, "rps", 200, "`pages` per second, without -once")
	fs.DurationVar(&o.length, "for", 0, "how `long` to run, without -once (default: until Ctrl-C; 15s where standard output is no terminal)")
	fs.StringVar(&o.ill, "break", "", "`version` of reviews, v1, v2 or v3, of which one of the two servers answers 500s for 20s")
	return fs
}

// check names the first flag that is wrong, or in the wrong company.
func (o options) check(set map[string]bool, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: all is said by flags, see -help", rest[0])
	case o.once && (set["for"] || set["rps"]):
		return fmt.Errorf("-once runs as fast as pages come and ends by itself: -for and -rps have no place with it")
	case !o.once && (set["n"] || set["json"]):
		return fmt.Errorf("-n and -json go with -once")
	case o.n < 1 || o.n > maxPages:
		return fmt.Errorf("-n %d: want 1 to %d pages", o.n, maxPages)
	case o.pace < 1 || o.pace > maxPace:
		return fmt.Errorf("-rps %d: want 1 to %d pages a second", o.pace, maxPace)
	case set["for"] && o.length <= 0:
		return fmt.Errorf("-for %v: want more than 0s", o.length)
	case set["break"] && !isReviews(o.ill):
		return fmt.Errorf("-break %q: want a version of reviews: v1, v2 or v3", o.ill)
	}
	return nil
}

// isReviews says that reviews runs in this version.
func isReviews(version string) bool {
	return slices.ContainsFunc(fleet.Deployments(), func(d fleet.Deployment) bool {
		return d.Service == "reviews" && d.Version == version
	})
}
