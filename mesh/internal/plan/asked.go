package plan

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
)

// asked remembers what Lookup has found, in places by the spelling: most requests are
// for a host that others were for, and need no look at what it is short for. The
// first of a place stays: nothing that callers ask for can drive out others again
// and again, and whoever fills it costs others no more than what it saves them.
type asked [1 << askedBits]atomic.Pointer[answer]

// askedBits are room for as many hosts as a process calls as a rule, some dozens, few
// of which share a place.
const askedBits = 10

// maxSpelling bounds what is remembered: a name in DNS, and a port.
const maxSpelling = 253 + len(":65535")

// An answer is what one spelling was found to mean. It does not change.
type answer struct {
	authority string
	host      *VirtualHost
	name      string
	port      uint16
}

func (a *asked) place(authority string) *atomic.Pointer[answer] {
	return &a[digest(authority)>>(64-askedBits)]
}

// remember finds what an authority means, and keeps it if there is room. What is kept
// is made of a copy of the spelling, which may be a part of something larger.
func (p *Plan) remember(authority string) Target {
	t := p.find(authority)
	if t.VirtualHost == nil || len(authority) > maxSpelling {
		return t
	}
	if at := p.asked.place(authority); at.Load() == nil {
		authority = strings.Clone(authority)
		t = p.find(authority)
		at.CompareAndSwap(nil, &answer{authority, t.VirtualHost, t.Name, t.Port})
	}
	return t
}

// digest makes a number of a name, eight bytes at a time, of which the upper bits are
// the good ones. Names that share one cost time and no more.
func digest(name string) uint64 {
	const odd = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	sum := uint64(len(name))
	for ; len(name) > 8; name = name[8:] {
		sum = (sum ^ binary.LittleEndian.Uint64([]byte(name[:8]))) * odd
		sum ^= sum >> 32
	}
	return (sum ^ word(name)) * odd
}

// word is a name of at most eight bytes as a number; beyond four, halves overlap.
func word(name string) (w uint64) {
	if n := len(name); n >= 4 {
		return uint64(binary.LittleEndian.Uint32([]byte(name[:4]))) | uint64(binary.LittleEndian.Uint32([]byte(name[n-4:])))<<32
	}
	for i := range len(name) {
		w = w<<8 | uint64(name[i])
	}
	return w
}
