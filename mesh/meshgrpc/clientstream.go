package meshgrpc

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// await returns when the journey is over, and panics if it has ended so.
func (s *stream) await() {
	<-s.done
	if s.fallen != nil {
		panic(s.fallen)
	}
}

// Header implements grpc.ClientStream.
func (s *stream) Header() (metadata.MD, error) {
	s.await()
	if s.err != nil || s.header == nil {
		return nil, nil // RecvMsg says why
	}
	return s.header.Copy(), nil
}

// Trailer implements grpc.ClientStream.
func (s *stream) Trailer() metadata.MD {
	s.await()
	if s.err != nil {
		return nil
	}
	return s.answer.Trailer()
}

// CloseSend implements grpc.ClientStream.
func (s *stream) CloseSend() error {
	s.limit.requested()
	return s.out.close()
}

// Context implements grpc.ClientStream. It is the answer's stream's, once there is
// one; who asks before does not wait for it, as with gRPC.
func (s *stream) Context() context.Context {
	select {
	case <-s.done:
	default:
		return s.life.context()
	}
	s.await()
	if s.err != nil {
		return s.life.context()
	}
	return s.answer.Context()
}

// SendMsg implements grpc.ClientStream.
func (s *stream) SendMsg(m any) error {
	err := s.out.send(m)
	if err == nil {
		load(&s.cargo.Requests, m)
	}
	return err
}

// RecvMsg implements grpc.ClientStream.
func (s *stream) RecvMsg(m any) error {
	s.await()
	if s.err != nil {
		return s.err
	}
	if !s.desc.ServerStreams && s.sole == nil {
		s.sole = m
	}
	err := s.ended
	if err == nil {
		err = s.answer.RecvMsg(m)
	}
	if err == nil {
		load(&s.cargo.Responses, m)
	}
	if s.wrapped() {
		s.received(err)
	}
	return s.told(err)
}
