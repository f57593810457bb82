package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// lint tells all that is wrong with files and directories.
func lint(_ context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	fs := flag.NewFlagSet("lint", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	paths, err := parse(fs, args)
	if err == nil && len(paths) == 0 {
		err = errors.New("lint: which FILE or DIR?")
	}
	if err != nil {
		return 0, err
	}
	faults, err := rules.Lint(paths...)
	if err != nil {
		return 0, err
	}
	if *asJSON {
		err = writeJSON(stdout, verdictOf(faults))
	} else {
		writeFaults(stdout, faults)
		fmt.Fprintln(stderr, summary(faults, paths))
	}
	return exitCode(faults), err
}

// writeFaults puts the severity at the end, where no reader of file:line looks.
func writeFaults(w io.Writer, faults rules.Faults) {
	for _, f := range faults {
		fmt.Fprintf(w, "%v [%v]\n", f, f.Severity)
	}
}

// summary says how many rules are valid too, so that nobody takes a directory
// without any for one that is in order.
func summary(faults rules.Faults, paths []string) string {
	var n [rules.Invalid + 1]int
	for _, f := range faults {
		n[f.Severity]++
	}
	text := fmt.Sprintf("%s: %d invalid, %d refused, %d warnings", verdictOf(faults).Verdict,
		n[rules.Invalid], n[rules.Refused], n[rules.Warning])
	if set, err := rules.ParseFiles(paths...); err == nil {
		text += fmt.Sprintf(", %d rules in force",
			set.Len())
	}
	return text
}

// A verdict is the JSON form of what lint says.
type verdict struct {
	Verdict string       `json:"verdict"` // valid, refused or invalid
	Faults  rules.Faults `json:"faults"`
}

func verdictOf(faults rules.Faults) verdict {
	v := verdict{Verdict: "valid", Faults: faults}
	if worst := faults.Worst(); worst > rules.Warning {
		v.Verdict = worst.String()
	}
	if faults == nil {
		v.Faults = rules.Faults{} // [] rather than null
	}
	return v
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
