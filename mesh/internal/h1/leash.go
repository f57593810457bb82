package h1

import "context"

// A leash ends what a connection waits for when a context ends. Who unties it is
// told whether it was pulled: then the connection is lost. So what comes late
// never meets the next request.
type leash struct {
	cut   func() // ends the waiting; made once, so that tying it costs nothing
	tied  Tier
	after func() bool // stops context.AfterFunc's
}

// A Tier is a context to which one function can be tied without an allocation,
// as context.AfterFunc cannot.
type Tier interface {
	// Tie has f called, once, when the context ends. f does not block. False: the
	// context has ended, or has a function tied to it.
	Tie(f func()) bool
	// Untie lets go of it. False: it was called, or is about to be.
	Untie() bool
}

// tie pulls at once if the context has ended.
func (l *leash) tie(ctx context.Context) {
	if t, ok := ctx.(Tier); ok && t.Tie(l.cut) {
		l.tied = t
		return
	}
	if ctx.Done() != nil {
		l.after = context.AfterFunc(ctx, l.cut)
	}
}

// untie reports that the leash was not pulled, and will not be.
func (l *leash) untie() (calm bool) {
	tied, after := l.tied, l.after
	l.tied, l.after = nil, nil
	switch {
	case tied != nil:
		return tied.Untie()
	case after != nil:
		return after()
	}
	return true
}
