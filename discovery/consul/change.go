package consul

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Change is what becomes of one object in KV.
type Change struct {
	Kind, Namespace, Name string
	Key                   string
	// Old and New are its document before and after; "" where there is none.
	Old, New string

	index uint64 // Consul's version of Old; 0: none
}

// Verb is create, update, delete, unchanged, or absent: what is to be deleted is
// not there.
func (c Change) Verb() string {
	switch {
	case c.Old == "" && c.New == "":
		return "absent"
	case c.Old == c.New:
		return "unchanged"
	case c.Old == "":
		return "create"
	case c.New == "":
		return "delete"
	}
	return "update"
}

// String is the line that tools print: create VirtualService default/reviews.
func (c Change) String() string {
	return c.Verb() + " " + c.Kind + " " + c.Namespace + "/" + c.Name
}

// change is that of the object under a key.
func (f folder) change(key string) Change {
	parts := strings.SplitN(strings.TrimPrefix(key, string(f)), "/", 3)
	parts = append(parts, "", "")
	return Change{Namespace: parts[0], Kind: parts[1], Name: parts[2], Key: key}
}

// changes are those that make the objects what they are to be, by key.
func (f folder) changes(old api.KVPairs, wanted []rules.Text) []Change {
	all := make([]Change, 0, len(wanted))
	for _, t := range wanted {
		c := f.change(t.Name)
		c.New = string(t.Data)
		if i := slices.IndexFunc(old, func(p *api.KVPair) bool { return p.Key == t.Name }); i >= 0 {
			c.Old, c.index = string(old[i].Value), old[i].ModifyIndex
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// after are all objects once the changes are made, in the order of their keys.
func after(old api.KVPairs, changes []Change) []rules.Text {
	all := map[string]string{}
	for _, t := range texts(old) {
		all[t.Name] = string(t.Data)
	}
	for _, c := range changes {
		all[c.Key] = c.New
	}
	var out []rules.Text
	for key, document := range all {
		if document != "" {
			out = append(out, rules.Text{Name: key, Data: []byte(document)})
		}
	}
	slices.SortFunc(out, func(a, b rules.Text) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// tooLong are the objects that no transaction takes. To learn it from Consul would
// be too late: transactions before may have been written.
func tooLong(wanted []rules.Text, first origins) error {
	var faults rules.Faults
	for _, t := range wanted {
		if n := len(t.Data); n > maxObject {
			faults = append(faults, misfit(first[t.Name], fmt.Sprintf("it is %d bytes long: want %d at most", n, maxObject)))
		}
	}
	return faults.Err()
}
