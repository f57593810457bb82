package discovery

import (
	"errors"
	"slices"
)

// An answer is one element of a Watch sequence.
type answer struct {
	endpoints []Endpoint
	err       error
}

// settles reports whether a is about the service (its endpoints, or that there
// is no such service) and not about trouble in finding out.
func (a answer) settles() bool { return a.err == nil || errors.Is(a.err, ErrUnknown) }

// none reports whether a says that there is nobody to send a request to.
func (a answer) none() bool { return a.settles() && len(a.endpoints) == 0 }

func (a *answer) equal(b *answer) bool {
	return a == b || a != nil && b != nil && (a.err == nil) == (b.err == nil) &&
		slices.EqualFunc(a.endpoints, b.endpoints, Endpoint.Equal)
}

// A view is all that there is to say about a service at one moment.
type view struct {
	settled *answer // the last answer that settles; nil before the first
	news    *answer // the trouble since, if any
}

// after is the view once a has come in: trouble never clears what is settled.
func (v view) after(a answer) view {
	if a.settles() {
		return view{settled: &a}
	}
	return view{settled: v.settled, news: &a}
}

// tell yields what v says and last did not, and reports whether to go on. The
// end of trouble is worth a repetition of what is settled.
func (v view) tell(last view, yield func([]Endpoint, error) bool) bool {
	mended := last.news != nil && v.news == nil
	if s := v.settled; s != nil && (mended || !s.equal(last.settled)) && !yield(s.endpoints, s.err) {
		return false
	}
	return v.news == nil || v.news == last.news || yield(nil, v.news.err)
}
