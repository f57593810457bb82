package consul

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"
)

// ErrUnfinished is returned (wrapped) by Publish, Diff and Commit where several
// transactions were to be written, and some of them were not: subscribers go by the
// rules before. To publish the same files again writes the rest.
var ErrUnfinished = errors.New("rules are written in part")

// A seal lies on a folder while more is written than one transaction takes. Who
// reads the folder sees it in the same answer as the objects.
type seal struct {
	key     string
	version string // that the rules will have
	index   uint64 // Consul's version of the seal; 0: there is none
}

func (f folder) seal() string { return string(f) + ".unfinished" }

type sealed struct{ Version string }

// unseal tells the seal from the objects.
func (f folder) unseal(pairs api.KVPairs) (seal, api.KVPairs, error) {
	s, objects := seal{key: f.seal()}, api.KVPairs{}
	for _, p := range pairs {
		if p.Key != s.key {
			objects = append(objects, p)
			continue
		}
		var said sealed
		if err := json.Unmarshal(p.Value, &said); err != nil {
			return s, nil, fmt.Errorf("consul: %s: %w", p.Key, err)
		}
		s.version, s.index = said.Version, p.ModifyIndex
	}
	return s, objects, nil
}

func (s seal) stands() bool { return s.index > 0 }

func (s seal) unfinished() error {
	return fmt.Errorf("%w: publish what makes version %s again, or delete the key %s to have what is there taken as it is", ErrUnfinished, s.version, s.key)
}

// operation is what a transaction does about the seal: the first of several sets it,
// the last one breaks it, and all of them fail where somebody else has touched it.
func (s seal) operation(version string, last bool) *api.KVTxnOp {
	switch {
	case !s.stands() && last:
		return &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: s.key}
	case !s.stands():
		value, _ := json.Marshal(sealed{version}) // a string can be said in JSON
		return &api.KVTxnOp{Verb: api.KVCAS, Key: s.key, Value: value}
	case last:
		return &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: s.key, Index: s.index}
	}
	return &api.KVTxnOp{Verb: api.KVCheckIndex, Key: s.key, Index: s.index}
}
