package tlsid

import (
	"errors"
	"time"
)

// repeatTrouble is how often a Source repeats trouble that lasts.
const repeatTrouble = time.Hour

// A teller yields a Source's news. Trouble is told when it begins, and again
// while it lasts; its end is worth a repetition of the credential.
type teller struct {
	yield    func(Credential, error) bool
	standing Credential // what was yielded last; zero before the first
	trouble  trouble
	told     time.Time // when the trouble was told last
}

// A trouble tells one kind of trouble from another. The zero trouble is none.
type trouble struct {
	failing bool       // whatever makes credentials
	content contentSum // of the files that are at fault, if files are
	age     error      // the credential that stands is ErrExpiring or ErrOutOfTime
}

// say yields c, which is to stand from now on, if it does not stand yet or if
// trouble has ended; then err, which is of the kind what, unless that is known.
// It reports whether to go on.
func (t *teller) say(c Credential, what trouble, err error, now time.Time) bool {
	ended := err == nil && t.trouble != (trouble{})
	if c != t.standing || ended && !c.IsZero() {
		t.standing = c
		if !t.yield(c, nil) {
			return false
		}
	}
	if what == t.trouble && now.Sub(t.told) < repeatTrouble {
		return true
	}
	t.trouble, t.told = what, now
	return err == nil || t.yield(Credential{}, err)
}

// ageOf is the sentinel that err is.
func ageOf(err error) error {
	for _, age := range []error{ErrOutOfTime, ErrExpiring} {
		if errors.Is(err, age) {
			return age
		}
	}
	return nil
}
