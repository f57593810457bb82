package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A standing is what stands in Consul, and who goes by it.
type standing struct {
	// Version is that of the rules that stand; "" where they are at fault.
	Version string          `json:"version"`
	Faults  rules.Faults    `json:"faults,omitempty"`
	Reports []consul.Report `json:"reports"`
}

// status says which rules each subscriber goes by.
func status(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var s store
	fs := s.flags("status")
	asJSON := fs.Bool("json", false, "")
	rest, err := parse(fs, args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("status: unexpected argument %q", rest[0])
	}
	if err != nil {
		return exitUsage, err
	}
	var st standing
	if code, err := s.ask(ctx, func(ctx context.Context, client *api.Client) error { return st.read(ctx, client, s.prefix) }); err != nil {
		return code, err
	}
	if *asJSON {
		return st.code(), writeJSON(stdout, st)
	}
	writeFaults(stderr, st.Faults)
	return st.code(), st.write(stdout)
}

func (st *standing) read(ctx context.Context, client *api.Client, prefix string) error {
	plan, err := consul.Diff(ctx, client, prefix)
	if faults, ok := errors.AsType[rules.Faults](err); ok {
		st.Faults = faults
	} else if err != nil {
		return err
	} else {
		st.Version = plan.Version
	}
	reports, err := consul.Reports(ctx, client, prefix)
	st.Reports = append([]consul.Report{}, reports...) // [] rather than null
	return err
}

// code tells rules that are at fault, and subscribers that do not go by them.
func (st *standing) code() int {
	if code := exitCode(st.Faults); code != exitValid {
		return code
	}
	for _, r := range st.Reports {
		if st.state(r) != inForce {
			return exitDiffers
		}
	}
	return exitValid
}

const inForce = "in force"

func (st *standing) state(r consul.Report) string {
	switch {
	case r.Rejected != "":
		return "rejected: " + strings.ReplaceAll(r.Rejected, "\n", "; ")
	case r.Version != st.Version:
		return "another version"
	}
	return inForce
}

// write writes a line for each subscriber.
func (st *standing) write(stdout io.Writer) error {
	p := page{tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)}
	p.line("SUBSCRIBER\tVERSION\tSINCE\tSTATE")
	for _, r := range st.Reports {
		version, since := "none", "-"
		if r.Version != "" {
			version, since = r.Version, r.Since.Format(time.RFC3339)
		}
		p.line("%s\t%s\t%s\t%s", r.Subscriber, version, since, st.state(r))
	}
	if err := p.Flush(); err != nil {
		return err
	}
	if st.Version != "" {
		_, err := fmt.Fprintf(stdout, "the rules that stand have version %s\n", st.Version)
		return err
	}
	return nil
}
