package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// An Explanation is the answer of /api/explain: what would become of a request.
type Explanation struct {
	Request ExplainedRequest `json:"request"`
	mesh.Explanation
}

// An ExplainedRequest is the request that was asked about.
type ExplainedRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

// explainTimeout bounds the wait for the first word of discovery.
const explainTimeout = 6 * time.Second

func (a *admin) explain(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), explainTimeout)
	defer cancel()
	request, err := requestOf(ctx, r)
	if err != nil {
		refuse(w, err)
		return
	}
	secrets := newMasker() // which rules name, and reasons repeat
	for meta, spec := range a.mesh.Rules().All() {
		_ = objectOf(secrets, meta, spec)
	}
	e := a.mesh.Explain(request)
	secrets.destinations(e.Destinations)
	secrets.destinations(e.Mirrors)
	answer(w, secrets.everywhere(Explanation{ExplainedRequest{request.Method, request.URL.String()}, e}))
}

func (m *masker) destinations(all []mesh.DestinationExplanation) {
	for i := range all {
		d := &all[i]
		d.Labels = m.texts(d.Labels)
		m.endpoints(d.Hosts)
		for j := range d.Access {
			d.Access[j].Labels = m.texts(d.Access[j].Labels)
		}
	}
}

// requestOf makes the request of parameters: method (GET), scheme (http; tcp stands for a raw connection), host,
// path (/) with its query, and any number of header, "name: value", of which Host is the request's own.
func requestOf(ctx context.Context, question *http.Request) (*http.Request, error) {
	q, err := asked(question)
	if err != nil {
		return nil, err
	}
	host, scheme, path := q.Get("host"), cmp.Or(q.Get("scheme"), "http"), cmp.Or(q.Get("path"), "/")
	switch {
	case host == "":
		return nil, fmt.Errorf("host: it is missing")
	case scheme != "http" && scheme != "https" && scheme != "tcp":
		return nil, fmt.Errorf("scheme: %q is none of http, https and tcp", scheme)
	case path[0] != '/':
		return nil, fmt.Errorf("path: %q does not begin with a slash", path)
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(q.Get("method"), http.MethodGet), scheme+"://"+host+path, nil)
	switch {
	case err != nil:
		return nil, err
	case r.URL.Host != host: // a part of it would be the path, or lost
		return nil, fmt.Errorf("host: %q is not a host and a port", host)
	}
	return r, addHeaders(r, q["header"])
}

// addHeaders adds lines of a header, "name: value".
func addHeaders(r *http.Request, lines []string) error {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("header: %q has no colon", line)
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	r.Host = cmp.Or(r.Header.Get("Host"), r.Host)
	r.Header.Del("Host")
	return nil
}
