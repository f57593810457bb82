package main

import (
	"context"
	"iter"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// handed is a source of rules that have been read already: what is put in is
// told next.
type handed chan *rules.Set

func newHanded(first *rules.Set) handed {
	h := make(handed, 1)
	h <- first
	return h
}

// Watch implements rules.Source.
func (h handed) Watch(ctx context.Context) iter.Seq2[*rules.Set, error] {
	return func(yield func(*rules.Set, error) bool) {
		for {
			select {
			case set := <-h:
				if !yield(set, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
