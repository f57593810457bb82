package consul

import (
	"errors"
	"fmt"
	"slices"

	"github.com/inmesh-go/inmesh/discovery"
)

// A union is what all places together say of a target.
type union struct {
	target target
	news   []said // the last word of each place, with the last endpoints

	told    []discovery.Endpoint // what was yielded last
	unknown bool                 // that nobody has the service was
	spoke   bool                 // something was
	left    string               // the instances of which it was told that they are left out
}

// tell takes in what a place has said and yields what follows from it. It reports
// whether to go on.
func (u *union) tell(s said, yield func([]discovery.Endpoint, error) bool) bool {
	mended := u.hear(s)
	if !u.ready() {
		return s.trouble == nil || yield(nil, s.trouble)
	}
	return u.tellEndpoints(mended, yield) && u.tellLeft(yield) && (s.trouble == nil || yield(nil, s.trouble))
}

// hear keeps the last endpoints of a place through its trouble, and reports
// whether trouble has ended.
func (u *union) hear(s said) (mended bool) {
	old := u.news[s.place]
	if s.trouble != nil {
		s.endpoints, s.known, s.left = old.endpoints, old.known, old.left
	}
	u.news[s.place] = s
	return old.trouble != nil && s.trouble == nil
}

// ready says that there is something to go by: endpoints, once home has been
// heard, or that all places know of none. A place that is cut off from the
// beginning does not keep the others from being used, nor what they had from going.
func (u *union) ready() bool {
	if !u.news[0].heard {
		return false
	}
	some := slices.ContainsFunc(u.news, func(s said) bool { return len(s.endpoints) > 0 })
	return some || u.spoke || !u.silent()
}

// silent says that a place has never said what it has.
func (u *union) silent() bool {
	return slices.ContainsFunc(u.news, func(s said) bool { return !s.known })
}

// some says that there may be instances, though none is an endpoint.
func (u *union) some() bool {
	return u.silent() || slices.ContainsFunc(u.news, func(s said) bool { return s.left != nil })
}

// tellEndpoints yields the endpoints of all places, if they have changed or if
// trouble is over.
func (u *union) tellEndpoints(mended bool, yield func([]discovery.Endpoint, error) bool) bool {
	all := u.endpoints()
	unknown := len(all) == 0 && !u.some()
	if u.spoke && !mended && unknown == u.unknown && slices.EqualFunc(all, u.told, discovery.Endpoint.Equal) {
		return true
	}
	u.spoke, u.told, u.unknown = true, all, unknown
	if unknown {
		return yield(nil, fmt.Errorf("%w: Consul has no %s", discovery.ErrUnknown, u.target))
	}
	return yield(all, nil)
}

// endpoints are those of all places, each address once: as the first place says.
func (u *union) endpoints() []discovery.Endpoint {
	if len(u.news) == 1 {
		return u.news[0].endpoints
	}
	all := map[string]discovery.Endpoint{}
	for _, s := range slices.Backward(u.news) {
		for _, e := range s.endpoints {
			all[e.Address] = e
		}
	}
	return sorted(all)
}

// tellLeft yields which instances are left out, when that changes.
func (u *union) tellLeft(yield func([]discovery.Endpoint, error) bool) bool {
	var faults []error
	for _, s := range u.news {
		faults = append(faults, s.left)
	}
	err := errors.Join(faults...)
	if err == nil {
		u.left = ""
		return true
	}
	if err.Error() == u.left {
		return true
	}
	u.left = err.Error()
	return yield(nil, fmt.Errorf("consul: %s: left out: %w", u.target, err))
}
