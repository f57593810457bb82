package consul

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Plan is what is to be written. Nothing has been yet.
type Plan struct {
	// Changes are those of all objects in the files, also of unchanged ones.
	Changes []Change
	// Version is what rules.Set.Version of every subscriber will be.
	Version string
	// Warnings are the faults of what will stand, as a whole, that keep nothing from
	// being used. Objects in the files are named by file and line, others by key.
	Warnings rules.Faults

	client *api.Client
	seal   seal
}

// Diff says what Publish would do with the files. What is at fault is of type
// rules.Faults: the objects in the files, and those that stand in KV already, for
// what subscribers take is all or nothing.
func Diff(ctx context.Context, client *api.Client, prefix string, files ...rules.Text) (*Plan, error) {
	return plan(ctx, client, newFolder(prefix), files, func(d string) string { return d })
}

// DiffDelete says what becomes of KV without the objects in the files.
func DiffDelete(ctx context.Context, client *api.Client, prefix string, files ...rules.Text) (*Plan, error) {
	return plan(ctx, client, newFolder(prefix), files, func(string) string { return "" })
}

// Publish writes the objects in the files into KV, for the subscribers of Rules
// with the same prefix: all of them or none, and only if the whole is valid. It
// is Diff and Commit.
func Publish(ctx context.Context, client *api.Client, prefix string, files ...rules.Text) (*Plan, error) {
	p, err := Diff(ctx, client, prefix, files...)
	if err != nil {
		return nil, err
	}
	return p, p.Commit(ctx)
}

// plan makes of each document in the files what becomes says; "" deletes it.
func plan(ctx context.Context, client *api.Client, f folder, files []rules.Text, becomes func(string) string) (*Plan, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	wanted, origins, err := f.objects(files)
	if err != nil {
		return nil, err
	}
	for i, t := range wanted {
		wanted[i].Data = []byte(becomes(string(t.Data)))
	}
	if err := tooLong(wanted, origins); err != nil {
		return nil, err
	}
	o := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
	old, meta, err := client.KV().List(string(f), o)
	if err == nil {
		err = permitted(client, meta, o, len(old) == 0)
	}
	if err != nil {
		return nil, fmt.Errorf("consul: rules under %s: %w", f, err)
	}
	sealed, old, err := f.unseal(old)
	if err != nil {
		return nil, err
	}
	changes := f.changes(old, wanted)
	set, err := f.parse(new(rules.Parser), after(old, changes))
	if err != nil {
		return nil, err
	}
	if sealed.stands() && sealed.version != set.Version {
		return nil, fmt.Errorf("consul: %w", sealed.unfinished())
	}
	return &Plan{changes, set.Version, origins.name(set.Warnings, set), client, sealed}, nil
}

// refused says which operations a transaction failed by. An operation by an index
// that is another one now is a conflict.
func refused(ops api.KVTxnOps, faults api.TxnErrors) error {
	var out []error
	for _, e := range faults {
		if e.OpIndex < 0 || e.OpIndex >= len(ops) {
			out = append(out, errors.New(e.What))
			continue
		}
		out = append(out, fmt.Errorf("%s: %w: %s", ops[e.OpIndex].Key, ErrConflict, e.What))
	}
	return errors.Join(out...)
}
