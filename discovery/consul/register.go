package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

// callTime bounds one call of the agent.
const callTime = 5 * time.Second

// A Registration keeps a service registered: it tells the agent that the process
// lives, and registers it again where the agent has forgotten it. It is safe for
// concurrent use.
type Registration struct {
	agent   *api.Agent
	service Service
	stop    context.CancelFunc
	ended   chan struct{} // closed when nothing is told any more
	urgent  chan struct{} // has one element when there is something to tell at once

	mu     sync.Mutex // guards what follows
	health error      // what the program has reported; nil: well
	err    error      // why the agent does not know the service, or may not

	closing  sync.Once
	closeErr error
}

// Register registers s with the client's agent and keeps it registered until
// Close. ctx bounds the start, not the life. The error is that of a Service that
// is out of bounds, or of an agent that does not take it.
func Register(ctx context.Context, client *api.Client, s Service) (*Registration, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	r := &Registration{
		agent: client.Agent(), service: s.withDefaults(),
		ended: make(chan struct{}), urgent: make(chan struct{}, 1),
	}
	if err := r.start(ctx); err != nil {
		return nil, fmt.Errorf("consul: register %s: %w", s.Name, err)
	}
	run, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.run(run)
	return r, nil
}

// Report says how the process is: nil when it is well, else why it should get no
// requests. It is for a Check by TTL; the agent asks for others itself.
func (r *Registration) Report(health error) {
	r.mu.Lock()
	r.health = health
	r.mu.Unlock()
	select {
	case r.urgent <- struct{}{}:
	default:
	}
}

// Err is why the service may not be registered at the moment; nil if all is well.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close puts the service into maintenance, so that others send nothing new, waits
// for Service.Drain, and deregisters it. It may be called several times.
func (r *Registration) Close() error {
	r.closing.Do(func() {
		r.stop()
		<-r.ended
		r.closeErr = r.leave()
	})
	return r.closeErr
}

func (r *Registration) leave() error {
	if r.service.Drain > 0 {
		// Where this fails, so will the next: that one tells.
		_ = r.call(context.Background(), func(o *api.QueryOptions) error {
			return r.agent.EnableServiceMaintenanceOpts(r.service.ID, "draining", o)
		})
		blocking.Sleep(context.Background(), r.service.Drain)
	}
	if err := r.deregister(); err != nil && !forgotten(err) {
		return fmt.Errorf("consul: deregister %s: %w", r.service.Name, err)
	}
	return nil
}

func (r *Registration) deregister() error {
	return r.call(context.Background(), func(o *api.QueryOptions) error {
		return r.agent.ServiceDeregisterOpts(r.service.ID, o)
	})
}

// run tells the agent at each beat, and sooner where there is trouble or news.
func (r *Registration) run(ctx context.Context) {
	defer close(r.ended)
	var pauses blocking.Pauses
	for r.await(ctx, r.pause(&pauses)) {
		r.keep(r.beat(ctx))
	}
}

func (r *Registration) pause(pauses *blocking.Pauses) time.Duration {
	if r.Err() != nil {
		return pauses.Next(beatInterval)
	}
	*pauses = blocking.Pauses{}
	return beatInterval
}

// await returns after d or when there is news; false: ctx has ended.
func (r *Registration) await(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.urgent:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (r *Registration) keep(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// beat tells the agent how the process is or, where the agent asks itself, sees
// that it still knows the service.
func (r *Registration) beat(ctx context.Context) error {
	err := r.call(ctx, r.tell)
	if forgotten(err) {
		err = r.register(ctx)
	}
	if err != nil {
		return fmt.Errorf("consul: registration of %s: %w", r.service.Name, err)
	}
	return nil
}

func (r *Registration) tell(o *api.QueryOptions) error {
	if !r.service.Check.told() {
		_, _, err := r.agent.Service(r.service.ID, o)
		return err
	}
	status, output := r.status()
	return r.agent.UpdateTTLOpts(r.service.checkID(), output, status, o)
}

// status is what was reported, in Consul's words.
func (r *Registration) status() (status, output string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.health != nil {
		return api.HealthCritical, r.health.Error()
	}
	return api.HealthPassing, ""
}

// start registers, all of it or nothing: what is left of a service for which nobody
// speaks gets requests until its TTL is over.
func (r *Registration) start(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	err := r.introduce(ctx)
	if err != nil {
		_ = r.deregister() // the agent said what was wrong before
	}
	return err
}

func (r *Registration) register(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	return r.introduce(ctx)
}

// introduce tells the first beat at once: an agent keeps on disk how a process said
// it is, not how it was registered, and one that is started again takes a process of
// which it keeps nothing for critical.
func (r *Registration) introduce(ctx context.Context) error {
	if !r.service.Check.told() {
		return nil
	}
	return r.call(ctx, r.tell)
}

func (r *Registration) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	status, _ := r.status()
	opts := api.ServiceRegisterOpts{ReplaceExistingChecks: true}
	return r.agent.ServiceRegisterOpts(r.service.registration(status), opts.WithContext(ctx))
}

// call makes one bounded call.
func (r *Registration) call(ctx context.Context, what func(*api.QueryOptions) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	o := &api.QueryOptions{Namespace: r.service.Namespace, Partition: r.service.Partition}
	return what(o.WithContext(ctx))
}

// forgotten says that the agent does not know the service.
func forgotten(err error) bool {
	status, ok := errors.AsType[api.StatusError](err)
	return ok && status.Code == http.StatusNotFound
}
