package consul

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

const (
	sessionTTL   = 30 * time.Second
	sessionRenew = 10 * time.Second
)

// A lease is a key that a session holds: both end with the process.
type lease struct {
	client  *api.Client
	name    string // of the key, but for the session
	session string // "": none yet
	written Report
}

// run keeps the report written until ctx ends. Trouble is tried again.
func (r *reporter) run(ctx context.Context) {
	defer close(r.ended)
	l := lease{client: r.client, name: r.key}
	defer l.end()
	var pauses blocking.Pauses
	for ctx.Err() == nil {
		wait, err := sessionRenew, l.sync(ctx, r.now())
		r.lament(err)
		if err != nil {
			wait = pauses.Next(sessionRenew)
		} else {
			pauses = blocking.Pauses{}
		}
		r.await(ctx, wait)
	}
}

// await returns after d, or when there is news.
func (r *reporter) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.news:
	case <-ctx.Done():
	}
}

// sync makes the key what the report is, if there is something to report.
func (l *lease) sync(ctx context.Context, r Report) error {
	if r.Version == "" && r.Rejected == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	o := new(api.WriteOptions).WithContext(ctx)
	if err := l.hold(o); err != nil || r == l.written {
		return err
	}
	return l.write(r, o)
}

// hold renews the session or, where it is gone, makes another.
func (l *lease) hold(o *api.WriteOptions) error {
	if l.session != "" {
		entry, _, err := l.client.Session().Renew(l.session, o)
		if err != nil || entry != nil {
			return err
		}
	}
	l.written = Report{}
	session, _, err := l.client.Session().CreateNoChecks(&api.SessionEntry{
		Name: l.name, Behavior: api.SessionBehaviorDelete, TTL: sessionTTL.String(),
	}, o)
	l.session = session
	return err
}

var errHeld = errors.New("the key is another session's")

// write takes the key, which has the session's name in it, so that nobody else
// can hold it.
func (l *lease) write(r Report, o *api.WriteOptions) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ok, _, err := l.client.KV().Acquire(&api.KVPair{Key: l.name + l.session, Value: value, Session: l.session}, o)
	if err == nil && !ok {
		err = errHeld
	}
	if err == nil {
		l.written = r
	}
	return err
}

// end removes the key with its session. Where that fails it ends by itself.
func (l *lease) end() {
	if l.session == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, _ = l.client.Session().Destroy(l.session, new(api.WriteOptions).WithContext(ctx))
}
