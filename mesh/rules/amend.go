package rules

import (
	"slices"
	"strings"
)

// maxAmended bounds the files that one amendment covers; more are put together anew.
const maxAmended = 16

// amend is what a valid edition becomes with other pages, if all that is new in
// them are other versions of the objects that were there, and what is said
// between objects does not depend on what changed. Most edits are such ones, and
// then neither ten thousand other objects nor what is between them is looked at.
func (e *edition) amend(pages []*page) (*edition, bool) {
	changed, ok := e.changed(pages)
	if !ok {
		return nil, false
	}
	now := &edition{pages: pages, byName: e.byName, set: e.set.clone(), faults: e.faults}
	for _, i := range changed {
		now.faults = retellFile(now.faults, e.pages[i], pages[i])
		for j, d := range pages[i].docs {
			if d != e.pages[i].docs[j] {
				now.set.replace(d.members)
			}
		}
	}
	now.set.Version = now.version()
	return now, true
}

// changed lists the pages that are not as before. It fails where an amendment
// would not do.
func (e *edition) changed(pages []*page) (changed []int, ok bool) {
	if len(pages) != len(e.pages) || e.byName == nil {
		return nil, false
	}
	for i, pg := range pages {
		if pg == e.pages[i] {
			continue
		}
		if changed = append(changed, i); len(changed) > maxAmended || !pg.succeeds(e.pages[i]) {
			return nil, false
		}
	}
	return changed, true
}

// succeeds says that each document of the page is that of the old one, or
// another version of it; and that none of their faults is left untold.
func (pg *page) succeeds(old *page) bool {
	if pg.Name != old.Name || pg.fault != nil || len(pg.docs) != len(old.docs) {
		return false
	}
	before, now := 0, 0
	for i, d := range pg.docs {
		if d != old.docs[i] && !d.succeeds(old.docs[i]) {
			return false
		}
		before, now = before+len(old.docs[i].faults), now+len(d.faults)
	}
	return max(before, now) <= maxFileFaults
}

func (d *document) succeeds(old *document) bool {
	return d.movable() && slices.EqualFunc(d.members, old.members, func(a, b member) bool {
		return identityOf(a) == identityOf(b) && a.meta().Created.Equal(b.meta().Created) && a.claimsAs(b)
	})
}

// retellFile replaces the faults of one file in those of all.
func retellFile(faults Faults, old, now *page) Faults {
	lo, _ := slices.BinarySearchFunc(faults, old.Name, byFile)
	hi, _ := slices.BinarySearchFunc(faults, old.Name+"\x00", byFile)
	told := make(Faults, 0, len(faults))
	told = append(told, faults[:lo]...)
	told = retell(told, faults[lo:hi], old, now)
	return append(told, faults[hi:]...)
}

func byFile(f Fault, name string) int { return strings.Compare(f.File, name) }

// retell appends to told what the faults of an old page become in the new one.
func retell(told, faults Faults, old, now *page) Faults {
	for i, d := range old.docs {
		n := len(faults)
		if i+1 < len(old.docs) {
			next := old.docs[i+1].first
			for n = 0; n < len(faults) && faults[n].Line < next; n++ {
			}
		}
		if now.docs[i] == d {
			told = append(told, faults[:n]...)
		} else {
			told = append(told, restate(faults[:n], d, now.docs[i])...)
		}
		faults = faults[n:]
	}
	return told
}

// restate is what is wrong with the new version of a document: its own faults,
// and those between objects, which are the old ones on their new lines.
func restate(faults Faults, old, now *document) Faults {
	told := slices.Clone(now.faults)
	for _, f := range faults {
		if !slices.Contains(old.faults, f) {
			told = append(told, now.relined(f))
		}
	}
	return inOrder(told)
}

func (d *document) relined(f Fault) Fault {
	for _, m := range d.members {
		if identityOf(m) == (identity{f.Kind, f.Namespace, f.Name}) {
			f.Line = m.LineOf(f.Field)
		}
	}
	return f
}

func (s *Set) clone() *Set {
	return &Set{
		VirtualServices:        slices.Clone(s.VirtualServices),
		DestinationRules:       slices.Clone(s.DestinationRules),
		ServiceEntries:         slices.Clone(s.ServiceEntries),
		WorkloadEntries:        slices.Clone(s.WorkloadEntries),
		AuthorizationPolicies:  slices.Clone(s.AuthorizationPolicies),
		PeerAuthentications:    slices.Clone(s.PeerAuthentications),
		RequestAuthentications: slices.Clone(s.RequestAuthentications),
		RateLimitPolicies:      slices.Clone(s.RateLimitPolicies),
		Telemetries:            slices.Clone(s.Telemetries),
	}
}

// replace puts other versions of objects in the places of those that are there.
func (s *Set) replace(members []member) {
	for _, m := range members {
		switch o := m.(type) {
		case *VirtualService:
			replace(s.VirtualServices, o)
		case *DestinationRule:
			replace(s.DestinationRules, o)
		case *ServiceEntry:
			replace(s.ServiceEntries, o)
		case *WorkloadEntry:
			replace(s.WorkloadEntries, o)
		case *AuthorizationPolicy:
			replace(s.AuthorizationPolicies, o)
		case *PeerAuthentication:
			replace(s.PeerAuthentications, o)
		case *RequestAuthentication:
			replace(s.RequestAuthentications, o)
		case *Telemetry:
			replace(s.Telemetries, o)
		case *RateLimitPolicy:
			replace(s.RateLimitPolicies, o)
		}
	}
}

func replace[M member](sorted []M, m M) {
	i, _ := slices.BinarySearchFunc(sorted, m, istioOrder[M])
	sorted[i] = m
}
