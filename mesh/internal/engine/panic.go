package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// A Panic is one of somebody else's code, such as an interceptor or a RoundTripper,
// on a goroutine of the mesh's, where nobody could catch it: it is raised again on
// that of the caller.
type Panic struct {
	Value any
	Stack []byte // where it was
}

// Caught is the panic that recover has returned; where that is nil, the goroutine was
// left by runtime.Goexit.
func Caught(value any) *Panic {
	if value == nil {
		value = errExited
	}
	return &Panic{value, debug.Stack()}
}

var errExited = errors.New("runtime.Goexit was called")

// Error tells the place, too: the panic is the caller's from here on.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap is the value, if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
