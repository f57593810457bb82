package jwt

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

const (
	// maxVerified bounds the tokens that are remembered, and maxRemembered the
	// length in bytes of each.
	maxVerified   = 1000
	maxRemembered = 4 << 10
)

// A verdict is a token that a rule was content with, under these keys, and what
// follows from it. Whether the token is still in force is asked every time. It
// is immutable.
type verdict struct {
	token *token
	rule  *rule
	keys  *keySet
	auth  *Auth
	tell  []Field
}

// A cache remembers verdicts by the SHA-256 of the token, so that no dump of the
// process has tokens in it: the signature costs fifty times the hash. The least
// recently used goes first. It is safe for concurrent use.
type cache struct {
	mu      sync.Mutex // guards what follows
	entries map[[sha256.Size]byte]*list.Element
	order   list.List // of entry, the most recently used first
}

type entry struct {
	hash    [sha256.Size]byte
	verdict *verdict
}

// hashOf copies the token to the stack if it is of usual length: the compiler
// would copy it to the heap.
func hashOf(raw string) [sha256.Size]byte {
	var room [2 << 10]byte
	return sha256.Sum256(append(room[:0], raw...))
}

func newCache() *cache { return &cache{entries: map[[sha256.Size]byte]*list.Element{}} }

// get returns nil for what is not known.
func (c *cache) get(hash [sha256.Size]byte) *verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[hash]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).verdict
}

func (c *cache) put(hash [sha256.Size]byte, v *verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[hash]; ok {
		e.Value.(*entry).verdict = v
		c.order.MoveToFront(e)
		return
	}
	c.entries[hash] = c.order.PushFront(&entry{hash, v})
	if len(c.entries) > maxVerified {
		oldest := c.order.Back()
		delete(c.entries, c.order.Remove(oldest).(*entry).hash)
	}
}
