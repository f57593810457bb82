package meshgrpc

import (
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// An outbox is what a caller sends on a stream: it goes to the try under way, and
// is kept for others as long as there may be any. The caller sends, the journey
// says where to.
type outbox struct {
	limit int64 // bytes of messages that are kept

	mu     sync.Mutex
	stream grpc.ClientStream // of the try under way, which has had all messages so far; nil: there is none
	moved  chan struct{}     // closed when there is one again, or will not be
	busy   chan struct{}     // closed when the message on its way there has gone, or cannot go; nil: there is none
	kept   []any
	size   int64
	closed bool  // the caller has nothing more to send
	full   bool  // more was sent than is kept
	final  bool  // there will be no other try
	local  error // why a message could not be sent at all
}

func newOutbox(limit int64) *outbox { return &outbox{limit: limit, moved: make(chan struct{})} }

// send is SendMsg. What goes to a try that has ended is lost with it, or sent
// again by the next one.
func (o *outbox) send(m any) error {
	stream, again, err := o.keep(m)
	if stream == nil {
		return err
	}
	err = stream.SendMsg(m)
	o.sent(err)
	if err == io.EOF && again && !o.isFinal() {
		return nil
	}
	return err
}

// sent: SendMsg has returned with err. What is neither nil nor EOF is about the
// message.
func (o *outbox) sent(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && err != io.EOF {
		o.local = err
	}
	if o.busy != nil {
		close(o.busy)
		o.busy = nil
	}
}

// keep decides where a message goes: to stream; or, if that is nil and err is
// too, with the next try, among all that is kept.
func (o *outbox) keep(m any) (stream grpc.ClientStream, again bool, err error) {
	size := sizeOf(m)
	o.mu.Lock()
	for o.stream == nil && !o.final && !o.fitsLocked(size) {
		moved := o.moved
		o.mu.Unlock()
		<-moved
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return nil, false, status.Error(codes.Internal, "SendMsg called after CloseSend")
	case o.final && o.stream == nil:
		return nil, false, io.EOF
	case o.final:
		return o.stream, false, nil
	}
	o.keepLocked(m, size)
	if o.stream != nil {
		o.busy = make(chan struct{})
	}
	return o.stream, !o.full, nil
}

func (o *outbox) fitsLocked(size int64) bool { return !o.full && size >= 0 && o.size+size <= o.limit }

func (o *outbox) keepLocked(m any, size int64) {
	if !o.fitsLocked(size) {
		o.full, o.kept = true, nil
		return
	}
	o.kept = append(o.kept, m)
	o.size += size
}

// sizeOf is the size of a message on the wire before compression; -1: unknown.
func sizeOf(m any) int64 {
	p, ok := m.(proto.Message)
	if !ok {
		return -1
	}
	return int64(proto.Size(p))
}

// close is CloseSend.
func (o *outbox) close() error {
	o.mu.Lock()
	o.closed = true
	stream := o.stream
	o.mu.Unlock()
	if stream == nil {
		return nil
	}
	return stream.CloseSend()
}

// attach sends a try's stream what has been sent so far, and all that follows.
func (o *outbox) attach(stream grpc.ClientStream) {
	for i := 0; ; i++ {
		m, more, closed := o.next(stream, i)
		switch {
		case more:
			o.sent(stream.SendMsg(m)) // EOF: the stream says why
			continue
		case closed:
			_ = stream.CloseSend() // it returns nil
		}
		return
	}
}

// next is the i-th message; after the last one the caller's go to the stream.
func (o *outbox) next(stream grpc.ClientStream, i int) (m any, more, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i < len(o.kept) {
		return o.kept[i], true, false
	}
	o.stream = stream
	close(o.moved)
	return nil, false, o.closed
}

// detach takes the stream away, and reports whether another may have its place.
func (o *outbox) detach() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.full {
		return false
	}
	if o.stream != nil {
		o.stream, o.moved = nil, make(chan struct{})
	}
	return true
}

// settle: there is no other try. Without an answer nothing is sent any more.
func (o *outbox) settle(answered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stream == nil {
		close(o.moved)
	}
	if !answered {
		o.stream = nil
	}
	o.final, o.kept = true, nil
}

func (o *outbox) isFinal() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.final
}

// replayable is whether all can be sent again.
func (o *outbox) replayable() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.full
}

// failure is what could not be sent at all to a stream that has ended, perhaps for
// that: whoever is sending is about to be told, too.
func (o *outbox) failure() error {
	o.mu.Lock()
	busy := o.busy
	o.mu.Unlock()
	if busy != nil {
		<-busy
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.local
}
