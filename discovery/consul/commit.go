package consul

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"
)

const (
	// maxOperations is how many operations a transaction has, one of them about the
	// seal: Consul takes 128, old ones took 64.
	maxOperations = 64
	// maxBytes is how long its keys and values are. Consul takes 512 KiB, in base64
	// and with words around (limits.txn_max_req_len).
	maxBytes = 320 << 10
	// maxObject is how long one object is at most, which has a transaction to itself:
	// what Consul takes of base64, less the words around.
	maxObject = 380 << 10
)

// ErrConflict is returned (wrapped) by Commit when somebody else has changed an
// object since the Plan was made.
var ErrConflict = errors.New("changed by somebody else meanwhile")

// Commit writes the changes, if nobody has changed one of the objects since: in one
// transaction or, where they are too many for that, in several, between which
// subscribers keep the rules that they have, so that nobody ever goes by a part. What
// ends between two transactions leaves it so: see ErrUnfinished. A plan without
// changes writes nothing.
func (p *Plan) Commit(ctx context.Context) error {
	s, parts := p.seal, parts(p.operations())
	if len(parts) == 0 && s.stands() {
		parts = []api.KVTxnOps{nil}
	}
	for i, ops := range parts {
		index, err := p.write(ctx, append(ops, s.operation(p.Version, i == len(parts)-1)))
		switch {
		case err == nil:
			s.version, s.index = p.Version, index
		case s.stands():
			return fmt.Errorf("consul: publish: %w: %w", s.unfinished(), err)
		default:
			return fmt.Errorf("consul: publish: %w", err)
		}
	}
	return nil
}

// write writes one transaction, all of it or nothing, and returns the index of the
// seal, which is the last operation.
func (p *Plan) write(ctx context.Context, ops api.KVTxnOps) (index uint64, _ error) {
	ok, result, _, err := p.client.KV().Txn(ops, new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("nothing was written: %w", refused(ops, result.Errors))
	}
	for _, pair := range result.Results {
		index = pair.ModifyIndex
	}
	return index, nil
}

func (p *Plan) operations() (ops api.KVTxnOps) {
	for _, c := range p.Changes {
		switch c.Verb() {
		case "create", "update":
			ops = append(ops, &api.KVTxnOp{Verb: api.KVCAS, Key: c.Key, Value: []byte(c.New), Index: c.index})
		case "delete":
			ops = append(ops, &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: c.Key, Index: c.index})
		}
	}
	return ops
}

// parts are the operations of one transaction each, but for that about the seal.
func parts(ops api.KVTxnOps) (out []api.KVTxnOps) {
	size := 0
	for _, op := range ops {
		size += len(op.Key) + len(op.Value)
		if n := len(out); n == 0 || len(out[n-1]) == maxOperations-1 || size > maxBytes {
			out, size = append(out, nil), len(op.Key)+len(op.Value)
		}
		out[len(out)-1] = append(out[len(out)-1], op)
	}
	return out
}
