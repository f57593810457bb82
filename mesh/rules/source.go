package rules

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
)

// A Source tells the rules, and tells them again when they change.
//
// Watch yields a whole Set at once and after each change until ctx ends. An
// error is news, not the end: where the rules cannot be read, or are at fault
// (then it is of type Faults), it yields a nil Set and why, and the Set before
// still stands. The same content is told once. An iteration belongs to one
// goroutine; several may run at a time.
type Source interface {
	Watch(ctx context.Context) iter.Seq2[*Set, error]
}

// A teller turns what is read into news.
type teller struct {
	parser Parser
	told   [sha256.Size]byte
	spoke  bool
}

// news parses texts, unless they are the ones that were told last.
func (t *teller) news(texts []Text, err error) (*Set, error, bool) {
	digest := digestOf(texts, err)
	if t.spoke && digest == t.told {
		return nil, nil, false
	}
	t.told, t.spoke = digest, true
	if err != nil {
		return nil, err, true
	}
	set, err := t.parser.Parse(texts...)
	return set, err, true
}

func digestOf(texts []Text, err error) (sum [sha256.Size]byte) {
	h := sha256.New()
	part := func(data []byte) {
		h.Write(binary.AppendUvarint(nil, uint64(len(data))))
		h.Write(data)
	}
	for _, t := range texts {
		part([]byte(t.Name))
		part(t.Data)
	}
	if err != nil {
		part([]byte(err.Error()))
	}
	h.Sum(sum[:0])
	return sum
}
