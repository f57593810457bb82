package consul

import (
	"errors"
	"fmt"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A folder is where in KV rules stand: each object under
// prefix/namespace/kind/name, as inmesh/default/VirtualService/reviews.
type folder string

func newFolder(prefix string) folder { return folder(strings.Trim(prefix, "/") + "/") }

// check refuses the folder of everything: a report would be a rule.
func (f folder) check() error {
	if f == "/" {
		return errors.New("consul: the prefix of the rules is empty: want a folder of KV, such as inmesh")
	}
	return nil
}

// reports is where subscribers say what is in force; not among the rules, for
// each report would wake up all who watch them.
func (f folder) reports() string { return strings.TrimSuffix(string(f), "/") + ".status/" }

// key is that of an object.
func (f folder) key(m *rules.Meta) string {
	return fmt.Sprintf("%s%s/%s/%s", f, m.Namespace, m.Kind, m.Name)
}

// marker says that a key is no object: user interfaces make folders this way.
func marker(key string) bool { return strings.HasSuffix(key, "/") }

// misplaced are the objects that do not stand under their own keys. A key says
// to people, and to Consul's ACLs, whose object it is.
func (f folder) misplaced(set *rules.Set) (faults rules.Faults) {
	for m := range metas(set) {
		if want := f.key(m); m.File != want {
			faults = append(faults, rules.Fault{
				Severity: rules.Invalid, File: m.File, Line: m.Line,
				Kind: m.Kind, Namespace: m.Namespace, Name: m.Name,
				Message: "the key of this object is " + want,
			})
		}
	}
	return faults
}
