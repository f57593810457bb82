package tlsid

import (
	"context"
	"errors"
	"iter"
	"time"
)

const (
	filesInterval = time.Second
	// filesSettle is after how long files that have changed are read again:
	// somebody may be writing them, and half of the roots are roots, too.
	filesSettle = 50 * time.Millisecond
)

// Files is a Source that reads PEM files, as cert-manager and others write them,
// and follows their changes.
//
// The files are read once a second and compared by content: renames, rewrites
// in place and symlink swaps are all the same to it. What has changed is taken
// once two looks, 50 ms apart, have seen the same. Files are taken together or
// not at all: the key must belong to the certificate, the roots must vouch for
// it now, and no PEM block may be damaged. Files that do not fit change nothing; that is told at once if
// nothing stands yet, else when they still do not a second later, so that
// files that are being replaced one by one are no news. ErrExpiring is told
// when less than a fifth of the lifetime is left, ErrOutOfTime when it is over.
//
// Others may be allowed to read the key file: mounted secrets often are so.
// Encrypted keys are refused.
type Files struct {
	// Certificate is the path of the chain, the leaf first. Required.
	Certificate string

	// Key is the path of the leaf's private key: PKCS #8, PKCS #1 or SEC 1. It
	// may be the same as Certificate. Required.
	Key string

	// Roots is the path of the roots of the leaf's own trust domain. Required.
	Roots string

	// OtherRoots are the paths of the roots of other trust domains.
	// None: only the own trust domain is trusted.
	OtherRoots map[TrustDomain]string
}

// Watch implements Source.
func (f Files) Watch(ctx context.Context) iter.Seq2[Credential, error] {
	return func(yield func(Credential, error) bool) {
		w := filesWatch{files: f, teller: teller{yield: yield}}
		tick := time.NewTicker(filesInterval)
		defer tick.Stop()
		for ctx.Err() == nil && w.poll(time.Now()) {
			w.wait(ctx, tick.C)
		}
	}
}

// filesWatch is what one Watch knows.
type filesWatch struct {
	teller
	files   Files
	adopted contentSum // of the credential that stands
	seen    contentSum // of the files as they were read last
	since   time.Time  // when they were seen so first
	settled bool       // they were seen so twice, or nothing stands
}

// wait returns when the files are to be read again.
func (w *filesWatch) wait(ctx context.Context, tick <-chan time.Time) {
	var settle <-chan time.Time // nil, which blocks
	if !w.settled {
		settle = time.After(filesSettle)
	}
	select {
	case <-tick:
	case <-settle:
	case <-ctx.Done():
	}
}

// poll reads the files once, and reports whether to go on.
func (w *filesWatch) poll(now time.Time) bool {
	found := w.files.read()
	w.settled = found.sum == w.seen || w.standing.IsZero()
	if found.sum != w.seen {
		w.seen, w.since = found.sum, now
	}
	if found.sum == w.adopted {
		return w.lament(trouble{}, nil, now)
	}
	if !w.settled {
		return true
	}
	credential, err := found.credential(w.files, now)
	if err != nil {
		return !w.lasting(now) || w.lament(trouble{content: found.sum}, err, now)
	}
	w.adopted = found.sum
	return w.say(credential, trouble{}, nil, now)
}

// lasting says that files that do not fit have not done so for a while.
func (w *filesWatch) lasting(now time.Time) bool {
	return w.standing.IsZero() || now.Sub(w.since) > filesInterval/2
}

// lament adds what is to say of the age of the credential that stands.
func (w *filesWatch) lament(what trouble, err error, now time.Time) bool {
	if !w.standing.IsZero() {
		aging := w.standing.Check(now)
		what.age, err = ageOf(aging), errors.Join(err, aging)
	}
	return w.say(w.standing, what, err, now)
}
