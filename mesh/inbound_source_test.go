package mesh_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
)

// A council is a source of access that says what a test wants.
type council struct {
	words chan word
	heard chan struct{} // has one element for each word that was taken in
}

type word struct {
	checker authz.Checker
	err     error
}

func newCouncil() *council { return &council{make(chan word), make(chan struct{}, 1000)} }

func (c *council) Watch(ctx context.Context) iter.Seq2[authz.Checker, error] {
	return func(yield func(authz.Checker, error) bool) {
		for {
			select {
			case w := <-c.words:
				if !yield(w.checker, w.err) {
					return
				}
				c.heard <- struct{}{}
			case <-ctx.Done():
				return
			}
		}
	}
}

// say returns when the mesh has heard.
func (c *council) say(checker authz.Checker, err error) {
	c.words <- word{checker, err}
	<-c.heard
}

// counselled opens a house with a council whose first word is checker.
func counselled(t *testing.T, checker authz.Checker, documents ...string) (*house, *council) {
	c := newCouncil()
	go c.say(checker, nil)
	return open(t, func(config *mesh.Config) { config.Access = c }, hello, documents...), c
}

// denies is a Checker that refuses callers of this name.
type denies string

func (r denies) Check(q *authz.Request) error {
	if strings.HasSuffix(q.Peer.String(), "/"+string(r)) {
		return errors.New("no intention lets in " + string(r))
	}
	return nil
}

// Both must let a request in: whoever denies wins.
func TestASourceOfAccessStandsBesideThePolicies(t *testing.T) {
	b, _ := counselled(t, denies("productpage"), authorization("no-ratings", "{action: DENY, rules: [{from: [{source: {principals: ['*/sa/ratings']}}]}]}"))
	for _, version := range versions {
		b.guest("details", version).get("/", 200)
		b.guest("ratings", version).get("/", 403)
		b.diary.takeAccess()
		b.guest("productpage", version).get("/", 403)
		if told := b.diary.takeAccess(); len(told) != 1 || told[0].Reason != "no intention lets in productpage" || told[0].Status != 403 {
			t.Errorf("told %+v", told)
		}
	}
}

func TestAnotherWordHoldsForTheNextRequestOfAnOpenConnection(t *testing.T) {
	b, c := counselled(t, denies("nobody"))
	for _, version := range versions {
		g := b.guest("productpage", version)
		g.get("/", 200)
		for range 20 {
			c.say(denies("productpage"), nil)
			g.getAgain("/", 403)
			c.say(denies("nobody"), nil)
			g.getAgain("/", 200)
		}
	}
}

func TestTroubleWithASourceOfAccessLeavesItsLastWord(t *testing.T) {
	b, c := counselled(t, denies("productpage"))
	before := b.mesh.Status().Access
	c.say(nil, errors.New("no agent"))
	b.guest("productpage", http1).get("/", 403)
	b.guest("details", http1).get("/", 200)
	if s := b.mesh.Status().Access; s.Err == nil || s.Heard != before.Heard || s.Heard.IsZero() {
		t.Errorf("the status is %+v, was %+v", s, before)
	}
	c.say(nil, nil) // not a word: nobody may come in by it
	b.guest("details", http1).get("/", 403)
	c.say(denies("productpage"), nil)
	b.guest("details", http1).get("/", 200)
	if s := b.mesh.Status().Access; s.Err != nil || !s.Heard.After(before.Heard) {
		t.Errorf("the status is %+v", s)
	}
}

// There is no mesh before the first word, so nobody can come in.
func TestNoMeshStartsWithoutTheFirstWordOfItsSourceOfAccess(t *testing.T) {
	c := newCouncil()
	silent, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := mesh.New(silent, mesh.Config{Access: c}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	trouble := errors.New("no agent")
	go c.say(nil, trouble)
	if _, err := mesh.New(context.Background(), mesh.Config{Access: c}); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
}
