package consul

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// maxRejected bounds a report in bytes; Consul's own bound is 512 KiB.
const maxRejected = 16 << 10

// A reporter keeps one report in KV, as the property of a session: it goes when
// the process does.
type reporter struct {
	client *api.Client
	key    string // and the session's ID
	stop   context.CancelFunc
	ended  chan struct{}
	news   chan struct{} // has one element when the report has changed

	mu      sync.Mutex // guards what follows
	report  Report
	offered string // the version that was given out last
	refused bool   // it was rejected by whoever was to put it in force
	trouble error  // why the report could not be written; nil: it was
}

// reporters are those of one source.
type reporters struct {
	mu   sync.Mutex
	live map[*reporter]bool
}

func (rs *reporters) begin(s *RuleSource) *reporter {
	ctx, stop := context.WithCancel(context.Background())
	r := &reporter{
		client: s.client, key: s.folder.reports() + s.config.Subscriber + "-",
		stop: stop, ended: make(chan struct{}), news: make(chan struct{}, 1),
		report: Report{Subscriber: s.config.Subscriber},
	}
	rs.mu.Lock()
	if rs.live == nil {
		rs.live = map[*reporter]bool{}
	}
	rs.live[r] = true
	rs.mu.Unlock()
	if s.config.Quiet {
		close(r.ended)
		return r
	}
	go r.run(ctx)
	return r
}

func (rs *reporters) end(r *reporter) {
	rs.mu.Lock()
	delete(rs.live, r)
	rs.mu.Unlock()
	r.stop()
	<-r.ended
}

// Reject is for whoever was to put rules in force and could not. Called within the
// iteration of Watch that yielded them, it takes the place of their version in the
// report.
func (s *RuleSource) Reject(set *rules.Set, why error) {
	s.reporters.mu.Lock()
	defer s.reporters.mu.Unlock()
	for r := range s.reporters.live {
		r.refuse(set.Version, why)
	}
}

// ReportErr is why it could not be reported which rules are in force: most often,
// that the token may not write. nil: it could.
func (s *RuleSource) ReportErr() error {
	s.reporters.mu.Lock()
	defer s.reporters.mu.Unlock()
	var all []error
	for r := range s.reporters.live {
		all = append(all, r.lamented())
	}
	return errors.Join(all...)
}

func (r *reporter) lament(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = err
}

func (r *reporter) lamented() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trouble != nil {
		return fmt.Errorf("consul: report on the rules: %w", r.trouble)
	}
	return nil
}

// offer notes which version is about to be put in force.
func (r *reporter) offer(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered, r.refused = version, false
}

// accept reports a version that has been taken, unless it was refused.
func (r *reporter) accept(version string) {
	r.change(func() {
		if !r.refused {
			r.report.Version, r.report.Since, r.report.Rejected = version, time.Now().UTC(), ""
		}
	})
}

// refuse reports that the version on offer has not been put in force.
func (r *reporter) refuse(version string, why error) {
	r.change(func() {
		if version == r.offered {
			r.refused, r.report.Rejected = true, rejection(why)
		}
	})
}

// reject reports rules that are none.
func (r *reporter) reject(why error) { r.change(func() { r.report.Rejected = rejection(why) }) }

func rejection(why error) string {
	text := why.Error()
	return text[:min(len(text), maxRejected)]
}

func (r *reporter) change(how func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	how()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *reporter) now() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report
}
