package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A push is what apply, diff and delete are asked.
type push struct {
	store
	dry   bool
	files []rules.Text
}

// A planner is consul.Diff or consul.DiffDelete.
type planner func(context.Context, *api.Client, string, ...rules.Text) (*consul.Plan, error)

// apply makes the objects in files those that stand in Consul.
func apply(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	return write(ctx, "apply", consul.Diff, args, stdout, stderr)
}

// remove deletes the objects in files from Consul.
func remove(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	return write(ctx, "delete", consul.DiffDelete, args, stdout, stderr)
}

// write writes a line for each object when all are written: they are in one
// transaction.
func write(ctx context.Context, name string, planned planner, args []string, stdout, stderr io.Writer) (int, error) {
	p, code, err := parsePush(name, args, stderr)
	if p == nil {
		return code, err
	}
	plan, code, err := p.plan(ctx, planned, !p.dry, stderr)
	if plan == nil {
		return code, err
	}
	for _, c := range plan.Changes {
		fmt.Fprintln(stdout, c)
	}
	fmt.Fprintln(stderr, outcome(plan, p.dry))
	return exitValid, nil
}

// diff shows what apply would change, line by line.
func diff(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	p, code, err := parsePush("diff", args, stderr)
	if p == nil {
		return code, err
	}
	plan, code, err := p.plan(ctx, consul.Diff, false, stderr)
	if plan == nil {
		return code, err
	}
	for _, c := range plan.Changes {
		fmt.Fprintln(stdout, c)
		writeLines(stdout, c)
	}
	fmt.Fprintln(stderr, outcome(plan, true))
	if changed(plan) > 0 {
		return exitDiffers, nil
	}
	return exitValid, nil
}

// parsePush reads flags and files; nil where there is nothing to go on with.
func parsePush(name string, args []string, stderr io.Writer) (*push, int, error) {
	p := new(push)
	fs := p.flags(name)
	if name != "diff" { // which writes nothing anyway
		fs.BoolVar(&p.dry, "n", false, "")
	}
	paths, err := parse(fs, args)
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: which FILE or DIR?", name)
	}
	if err != nil {
		return nil, exitUsage, err
	}
	p.files, err = consul.Files(paths...)
	if faults, ok := errors.AsType[rules.Faults](err); ok {
		writeFaults(stderr, faults)
		return nil, exitCode(faults), nil
	}
	if err == nil && len(p.files) == 0 {
		err = fmt.Errorf("%s: no rules in %s", name, strings.Join(paths, ", "))
	}
	if err != nil {
		return nil, exitUsage, err
	}
	return p, exitValid, nil
}

// plan says what becomes of Consul's rules, and commits to it if told to; nil
// where that cannot be.
func (p *push) plan(ctx context.Context, planned planner, commit bool, stderr io.Writer) (plan *consul.Plan, _ int, _ error) {
	code, err := p.ask(ctx, func(ctx context.Context, client *api.Client) (err error) {
		if plan, err = planned(ctx, client, p.prefix, p.files...); err != nil || !commit {
			return err
		}
		return plan.Commit(ctx)
	})
	if faults, ok := errors.AsType[rules.Faults](err); ok {
		writeFaults(stderr, faults)
		return nil, exitCode(faults), nil
	}
	if err != nil {
		return nil, code, err
	}
	writeFaults(stderr, plan.Warnings)
	return plan, exitValid, nil
}

// changed is how many objects are not what they are to be.
func changed(p *consul.Plan) (n int) {
	for _, c := range p.Changes {
		if c.Old != c.New {
			n++
		}
	}
	return n
}

func outcome(p *consul.Plan, dry bool) string {
	n := changed(p)
	switch {
	case n == 0:
		return "nothing to change: version " + p.Version
	case dry:
		return fmt.Sprintf("%d of %d to change, nothing was written: version would be %s", n, len(p.Changes), p.Version)
	}
	return fmt.Sprintf("%d of %d changed: version %s", n, len(p.Changes), p.Version)
}
