package consul

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A RulesConfig says where rules stand, and who reads them.
type RulesConfig struct {
	// Prefix is the folder in KV. Needed.
	Prefix string
	// Subscriber is the name under which it is reported which rules are in force.
	// "": the host's name and the number of the process.
	Subscriber string
	// Quiet says that nothing is reported, for tokens that may not write. False:
	// it is.
	Quiet bool
	// Hold is for how long the rules stand when Consul says that there are none
	// left. 0: 30 s. Negative: not at all.
	Hold time.Duration
}

// A RuleSource is a rules.Source that follows KV. It is safe for concurrent use.
type RuleSource struct {
	client    *api.Client
	config    RulesConfig
	folder    folder
	reporters reporters
}

// Rules is NewRules with a prefix and nothing else.
func Rules(client *api.Client, prefix string) *RuleSource {
	return NewRules(client, RulesConfig{Prefix: prefix})
}

// NewRules returns the source of the rules that stand in KV under
// prefix/namespace/kind/name, each a document in YAML or JSON. An object at
// fault keeps the whole set out, and the rules before it stand.
func NewRules(client *api.Client, c RulesConfig) *RuleSource {
	if c.Subscriber == "" {
		c.Subscriber = processName()
	}
	if c.Hold == 0 {
		c.Hold = 30 * time.Second
	}
	return &RuleSource{client: client, config: c, folder: newFolder(c.Prefix)}
}

// Watch implements rules.Source. Each iteration reports for itself.
func (s *RuleSource) Watch(ctx context.Context) iter.Seq2[*rules.Set, error] {
	return func(yield func(*rules.Set, error) bool) {
		if err := s.folder.check(); err != nil {
			if yield(nil, err) {
				<-ctx.Done()
			}
			return
		}
		reporter := s.reporters.begin(s)
		defer s.reporters.end(reporter)
		w := ruleWatch{source: s, reporter: reporter}
		for answer, err := range blocking.Watch(ctx, blocking.Config{}, w.list) {
			if !w.hear(answer.Value, err, time.Now(), yield) {
				return
			}
		}
	}
}

// list does not wait for as long as usual while nothing was told: whoever starts while
// rules are written in part is to hear soon that they stay so.
func (w *ruleWatch) list(o *api.QueryOptions) (listing, *api.QueryMeta, error) {
	if !w.spoke {
		o.WaitTime = min(o.WaitTime, sealTime)
	}
	return w.source.list(o)
}

// list reads all rules. An answer that leaves some out for want of permissions
// is none: what is missing may be what protects.
func (s *RuleSource) list(o *api.QueryOptions) (listing, *api.QueryMeta, error) {
	pairs, meta, err := s.client.KV().List(string(s.folder), o)
	if err == nil {
		err = permitted(s.client, meta, o, len(pairs) == 0)
	}
	if err != nil {
		return listing{}, meta, err
	}
	seal, objects, err := s.folder.unseal(pairs)
	return listing{texts(objects), seal}, meta, err
}

// A listing is what stands in a folder.
type listing struct {
	texts []rules.Text
	seal  seal
}

// texts are the objects, in the order of their keys.
func texts(pairs api.KVPairs) []rules.Text {
	var out []rules.Text
	for _, p := range pairs {
		if !marker(p.Key) {
			out = append(out, rules.Text{Name: p.Key, Data: p.Value})
		}
	}
	return out
}

// ruleWatch is one iteration.
type ruleWatch struct {
	source   *RuleSource
	reporter *reporter
	parser   rules.Parser
	told     []rules.Text // what was told last, good or bad
	spoke    bool
	trouble  string    // that was told last
	emptied  time.Time // since when there are no rules that had been some
	sealed   time.Time // since when rules are written in part
}

// hear takes in what Consul has said, and tells what follows.
func (w *ruleWatch) hear(l listing, err error, now time.Time, yield func(*rules.Set, error) bool) bool {
	texts := l.texts
	if err == nil && w.waits(l.seal, now) {
		return true
	}
	if err == nil {
		err = w.doubt(l, now)
	}
	if err != nil {
		return w.lament(fmt.Errorf("consul: rules under %s: %w", w.source.folder, err), yield)
	}
	mended := w.trouble != ""
	w.trouble = ""
	if w.spoke && !mended && slices.EqualFunc(texts, w.told, same) {
		return true
	}
	w.spoke, w.told = true, texts
	return w.tell(texts, yield)
}

// sealTime is how long it may take to write rules in several transactions.
const sealTime = 10 * time.Second

// waits says that a part of the rules is there, and the rest is probably under way:
// who has rules goes by them, and need not be told; who has none yet waits, for an
// error may end it.
func (w *ruleWatch) waits(s seal, now time.Time) bool {
	switch {
	case !s.stands():
		w.sealed = time.Time{}
	case w.sealed.IsZero():
		w.sealed = now
	}
	return s.stands() && now.Sub(w.sealed) < sealTime
}

// lament tells trouble once.
func (w *ruleWatch) lament(err error, yield func(*rules.Set, error) bool) bool {
	if err.Error() == w.trouble {
		return true
	}
	w.trouble = err.Error()
	return yield(nil, err)
}

// doubt is that rules are there in part for longer than it takes to write them, or
// that all are gone: a KV store that was restored or emptied by
// mistake says so in the same words as one that means it. It is over when an
// answer says so after Hold.
func (w *ruleWatch) doubt(l listing, now time.Time) error {
	hold := w.source.config.Hold
	switch {
	case l.seal.stands():
		return l.seal.unfinished()
	case len(l.texts) > 0 || len(w.told) == 0 || hold < 0:
		w.emptied = time.Time{}
		return nil
	case w.emptied.IsZero():
		w.emptied = now
	case now.Sub(w.emptied) >= hold:
		return nil
	}
	return fmt.Errorf("there are none any more; the last %d stand for %v", len(w.told), hold)
}

func (w *ruleWatch) tell(texts []rules.Text, yield func(*rules.Set, error) bool) bool {
	set, err := w.source.folder.parse(&w.parser, texts)
	if err != nil {
		w.reporter.reject(err)
		return yield(nil, err)
	}
	w.reporter.offer(set.Version)
	if !yield(set, nil) {
		return false
	}
	w.reporter.accept(set.Version)
	return true
}

// parse is what every subscriber makes of the objects in a folder.
func (f folder) parse(p *rules.Parser, texts []rules.Text) (*rules.Set, error) {
	set, err := p.Parse(texts...)
	if err != nil {
		return nil, err
	}
	if faults := f.misplaced(set); faults != nil {
		return nil, faults
	}
	return set, nil
}

func same(a, b rules.Text) bool { return a.Name == b.Name && bytes.Equal(a.Data, b.Data) }
