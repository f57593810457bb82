package tlsid

import (
	"context"
	"iter"
)

// A Source tells a workload's credential and follows its changes.
//
// Watch yields whole credentials, at once and after each change, until ctx ends
// or the loop is left. It never yields one that is out of time. An error is
// news, not the end: the credential that was yielded last stands, and the
// sequence goes on. Watch may be called several times, at the same time too.
type Source interface {
	Watch(ctx context.Context) iter.Seq2[Credential, error]
}

// Static is a Source of one credential that never changes. It does not follow
// time: when the credential expires, so it does.
func Static(c Credential) Source { return static{c} }

type static struct{ credential Credential }

func (s static) Watch(ctx context.Context) iter.Seq2[Credential, error] {
	return func(yield func(Credential, error) bool) {
		if yield(s.credential, nil) {
			<-ctx.Done()
		}
	}
}
