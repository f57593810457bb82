package meshgrpc

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// A relayed panic is one of an interceptor's, or of an observer's hook, on the
// goroutine of a stream's journey, where nobody could catch it: the stream's caller
// has it.
type relayed struct {
	value any
	stack []byte // where it was
}

// Error tells the place, too: the panic is the caller's from here on.
func (r *relayed) Error() string { return fmt.Sprintf("%v\n\n%s", r.value, r.stack) }

// Unwrap is the value, if that is an error.
func (r *relayed) Unwrap() error {
	err, _ := r.value.(error)
	return err
}

var errExited = errors.New("runtime.Goexit was called")

// fall ends a journey on which somebody has panicked with value, or has left the
// goroutine (nil).
func (s *stream) fall(value any) {
	if value == nil {
		value = errExited
	}
	s.fallen = &relayed{value, debug.Stack()}
	s.call.Abort()
	s.limit.stop()
	s.out.settle(false)
	close(s.done)
	s.begun()
}

// await returns when the journey is over, and panics if it has ended so.
func (s *stream) await() {
	<-s.done
	if s.fallen != nil {
		panic(s.fallen)
	}
}
