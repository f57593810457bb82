package rules

import (
	"bytes"
	"context"
	"iter"
	"slices"
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

// A Rejecter is a Source that keeps account of what becomes of its rules: it is
// told of a Set that is valid and that its reader cannot obey all the same, for
// want of an identity or a provider.
type Rejecter interface {
	Source
	Reject(set *Set, why error)
}

// A teller turns what is read into news.
type teller struct {
	parser Parser
	spoke  bool
	texts  []Text // what was told last,
	fault  string // or why there was none
}

// news parses texts, unless they are the ones that were told last.
func (t *teller) news(texts []Text, err error) (*Set, error, bool) {
	fault := ""
	if err != nil {
		texts, fault = nil, err.Error()
	}
	if t.spoke && fault == t.fault && slices.EqualFunc(texts, t.texts, sameText) {
		return nil, nil, false
	}
	t.spoke, t.texts, t.fault = true, texts, fault
	if err != nil {
		return nil, err, true
	}
	set, err := t.parser.Parse(texts...)
	return set, err, true
}

func sameText(a, b Text) bool { return a.Name == b.Name && bytes.Equal(a.Data, b.Data) }
