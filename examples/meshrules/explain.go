package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// patience is how long explain waits for the addresses of a ServiceEntry that
// has them from DNS.
const patience = 3 * time.Second

// A question is what explain is asked.
type question struct {
	path      string // of the rules, a file or a directory
	json      bool
	labels    map[string]string // of the caller
	namespace string
	request   *http.Request
}

func parseQuestion(ctx context.Context, args []string) (question, error) {
	q := question{labels: map[string]string{}}
	header := http.Header{}
	fs := flag.NewFlagSet("explain", flag.ContinueOnError)
	fs.StringVar(&q.path, "f", "", "")
	fs.BoolVar(&q.json, "json", false, "")
	fs.StringVar(&q.namespace, "n", "default", "")
	fs.Func("from", "", func(s string) error { return addLabels(q.labels, s) })
	fs.Func("H", "", func(s string) error { return addHeader(header, s) })
	rest, err := parse(fs, args)
	if err != nil {
		return q, err
	}
	if q.path == "" {
		return q, errors.New("explain: -f says which rules: a FILE or DIR")
	}
	if len(rest) != 2 {
		return q, fmt.Errorf("explain: want METHOD and URL, got %d arguments %q", len(rest), rest)
	}
	q.request, err = newRequest(ctx, rest[0], rest[1], header)
	return q, err
}

// addLabels reads k=v,k=v.
func addLabels(labels map[string]string, list string) error {
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return fmt.Errorf("%q: want KEY=VALUE", pair)
		}
		labels[key] = value
	}
	return nil
}

// addHeader reads a header as it is written in a request.
func addHeader(h http.Header, line string) error {
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return fmt.Errorf("want 'Name: value'")
	}
	h.Add(name, strings.TrimSpace(value))
	return nil
}

// newRequest is the request as a program would make it: a header Host is the
// request's own host.
func newRequest(ctx context.Context, method, target string, header http.Header) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if !explicable(r.URL) {
		return nil, fmt.Errorf("explain: URL %q: want http://HOST/PATH, https://HOST/PATH or tcp://HOST:PORT", target)
	}
	r.Header = header
	if host := header.Get("Host"); host != "" {
		r.Host = host
		header.Del("Host")
	}
	return r, nil
}

func explicable(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "tcp":
		return u.Hostname() != "" && u.Port() != ""
	}
	return false
}

// explain says what a mesh with these rules would do with a request.
func explain(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	q, err := parseQuestion(ctx, args)
	if err != nil {
		return 0, err
	}
	set, err := rules.ParseFiles(q.path)
	var faults rules.Faults
	if errors.As(err, &faults) {
		writeFaults(stderr, faults)
		return exitCode(faults), nil
	}
	if err != nil {
		return 0, err
	}
	e, err := q.ask(ctx, set)
	if err != nil {
		return 0, err
	}
	if q.json {
		return exitValid, writeJSON(stdout, e)
	}
	return exitValid, writeExplanation(stdout, q, e)
}

// ask makes a mesh that knows the rules and nobody's addresses, and asks it. It
// has what rules may demand of a process: an identity, proxies, providers.
func (q question) ask(ctx context.Context, set *rules.Set) (mesh.Explanation, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		return mesh.Explanation{}, err
	}
	m, err := mesh.New(ctx, mesh.Config{
		Workload:       mesh.Workload{Namespace: q.namespace, Labels: q.labels},
		Rules:          only{set},
		Discovery:      nobody{},
		Identity:       ca.Workload("caller"),
		TrustedProxies: 1,
		Authorizers:    providersOf(set),
	})
	if err != nil {
		return mesh.Explanation{}, err
	}
	defer m.Close()
	return m.Explain(q.request.WithContext(ctx)), nil
}

// providersOf are all providers that the rules name.
func providersOf(set *rules.Set) map[string]mesh.Authorizer {
	named := map[string]mesh.Authorizer{}
	for _, p := range set.AuthorizationPolicies {
		if name := p.Spec.GetProvider().GetName(); name != "" {
			named[name] = closed{}
		}
	}
	return named
}

// closed is a provider that is never asked: nobody calls.
type closed struct{}

func (closed) Authorize(context.Context, mesh.AccessRequest) error { return errors.New("closed") }

// only is a Source of one set that never changes: the mesh is asked about the
// very rules that were read.
type only struct{ set *rules.Set }

func (o only) Watch(ctx context.Context) iter.Seq2[*rules.Set, error] {
	return func(yield func(*rules.Set, error) bool) {
		if yield(o.set, nil) {
			<-ctx.Done()
		}
	}
}

// nobody is discovery that looks nothing up. A host that no rule names is
// unknown to it, so that its requests pass unchanged.
type nobody struct{}

func (nobody) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		if yield(nil, errNotLookedUp) {
			<-ctx.Done()
		}
	}
}

var errNotLookedUp = fmt.Errorf("endpoints are not looked up (%w)", discovery.ErrUnknown)
