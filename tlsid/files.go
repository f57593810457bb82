package tlsid

import (
	"context"
	"errors"
	"iter"
	"time"
)

const filesInterval = time.Second

// Files is a Source that reads PEM files, as cert-manager and others write them,
// and follows their changes.
//
// The files are read once a second and compared by content: renames, rewrites
// in place and symlink swaps are all the same to it. They are taken together or
// not at all: the key must belong to the certificate, and the roots must vouch
// for it now. Files that do not fit change nothing; that is told at once if
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
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}
}

// filesWatch is what one Watch knows.
type filesWatch struct {
	teller
	files   Files
	adopted contentSum // of the credential that stands
	seen    contentSum // of the files as they were read last
}

// poll reads the files once, and reports whether to go on.
func (w *filesWatch) poll(now time.Time) bool {
	found := w.files.read()
	lasting := found.sum == w.seen || w.standing.IsZero()
	w.seen = found.sum
	if found.sum == w.adopted {
		return w.lament(trouble{}, nil, now)
	}
	credential, err := found.credential(w.files, now)
	if err != nil {
		return !lasting || w.lament(trouble{content: found.sum}, err, now)
	}
	w.adopted = found.sum
	return w.say(credential, trouble{}, nil, now)
}

// lament adds what is to say of the age of the credential that stands.
func (w *filesWatch) lament(what trouble, err error, now time.Time) bool {
	if !w.standing.IsZero() {
		aging := w.standing.Check(now)
		what.age, err = ageOf(aging), errors.Join(err, aging)
	}
	return w.say(w.standing, what, err, now)
}
