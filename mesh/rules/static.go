package rules

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// A Memory is a Source of rules that are held in memory. All its methods may be
// called at any time.
type Memory struct {
	mu      sync.Mutex // orders texts with changed
	texts   []Text
	changed chan struct{} // closed when texts are replaced
}

// Static is a Source of the given documents, each YAML or JSON as a file is.
// Faults name them static[0], static[1] and so on.
func Static(documents ...string) *Memory {
	return &Memory{texts: textsFrom(documents), changed: make(chan struct{})}
}

func textsFrom(documents []string) []Text {
	texts := make([]Text, len(documents))
	for i, d := range documents {
		texts[i] = Text{fmt.Sprintf("static[%d]", i), []byte(d)}
	}
	return texts
}

// Update replaces all documents, and returns what is wrong with them. Who
// watches is told in either case, as with a file: where there is an error, the
// rules before it still stand.
func (m *Memory) Update(documents ...string) error {
	texts := textsFrom(documents)
	m.mu.Lock()
	m.texts = texts
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	_, err := new(Parser).Parse(texts...)
	return err
}

func (m *Memory) now() ([]Text, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.texts, m.changed
}

// Watch is Source's.
func (m *Memory) Watch(ctx context.Context) iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) {
		var t teller
		for ctx.Err() == nil {
			texts, changed := m.now()
			set, err, news := t.news(texts, nil)
			if news && !yield(set, err) {
				return
			}
			select {
			case <-ctx.Done():
			case <-changed:
			}
		}
	}
}
