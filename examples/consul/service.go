package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

// prefix is where in KV the rules stand.
const prefix = "inmesh"

// A service is the role of a process that serves one of bookinfo's.
type service struct{ name, version, agent string }

func parseService(args []string) (s service, err error) {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.name, "service", "", "")
	fs.StringVar(&s.version, "version", "", "")
	fs.StringVar(&s.agent, "agent", "", "")
	err = fs.Parse(args)
	if err == nil && (fs.NArg() > 0 || s.name == "" || s.version == "" || s.agent == "") {
		err = errors.New("serve: want -service, -version and -agent")
	}
	return s, err
}

// serve runs the service until stdin or ctx ends. It writes its address when it is
// ready.
func serve(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	s, err := parseService(args)
	if err != nil {
		return err
	}
	ctx, cancel := leashed(ctx, stdin)
	defer cancel()
	client, err := api.NewClient(&api.Config{Address: s.agent, Scheme: "http"})
	if err != nil {
		return err
	}
	source, err := consul.NewSource(client, consul.Config{Connect: true})
	if err != nil {
		return err
	}
	m, err := s.mesh(ctx, client, source)
	if err != nil {
		return err
	}
	defer m.Close()
	lis, err := m.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := s.server(m)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(lis) }()
	defer func() { _ = server.Close(); <-ended }()

	registration, err := s.register(ctx, client, lis.Addr())
	if err != nil {
		return err
	}
	if err = s.awaitOthers(ctx, source); err == nil {
		fmt.Fprintln(stdout, lis.Addr())
		<-ctx.Done()
	}
	return errors.Join(err, registration.Close()) // it still serves while it drains
}

// mesh starts one. It tries again where that fails: a new cluster may have to elect
// another leader, and signs nothing meanwhile.
func (s service) mesh(ctx context.Context, client *api.Client, source discovery.Source) (m *mesh.Mesh, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = until(ctx, s.name+" has a mesh", func() error {
		m, err = mesh.New(ctx, s.config(client, source))
		return err
	})
	return m, err
}

// config has everything from Consul: where the others are, the rules, who it is, and
// who may call it.
func (s service) config(client *api.Client, source discovery.Source) mesh.Config {
	rules := consul.NewRules(client, consul.RulesConfig{
		Prefix: prefix, Subscriber: fmt.Sprintf("%s-%s-%d", s.name, s.version, os.Getpid()),
	})
	return mesh.Config{
		Workload:       mesh.Workload{Service: s.name, Labels: map[string]string{"app": s.name, "version": s.version}},
		Discovery:      source,
		Rules:          rules,
		Identity:       consulca.New(client, s.name),
		Access:         s.access(client),
		OutboundPolicy: mesh.RegistryOnly,
	}
}

// access is the cluster's intentions, but for productpage, whose readers have no
// identity for them to be about.
func (s service) access(client *api.Client) authz.Source {
	if s.name == "productpage" {
		return nil
	}
	return consul.Intentions(client, s.name)
}

// server turns strangers away without a word.
func (s service) server(m *mesh.Mesh) *http.Server {
	return &http.Server{
		Handler:           m.Handler(s.handler(&http.Client{Transport: m.Transport(nil)})),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
}

func (s service) register(ctx context.Context, client *api.Client, at net.Addr) (*consul.Registration, error) {
	a := at.(*net.TCPAddr)
	return consul.Register(ctx, client, consul.Service{
		Name: s.name, Address: a.IP.String(), Port: a.Port,
		Meta: map[string]string{"version": s.version}, Connect: true, Drain: time.Second,
	})
}

// An answer says who has answered whom, by the caller's certificate.
type answer struct {
	Version string `json:"version"`
	Caller  string `json:"caller"`
	Stars   int    `json:"stars,omitempty"`
}

// handler answers for the service. productpage's answer is that of reviews.
func (s service) handler(client *http.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answer{Version: s.version, Caller: mesh.Peer(r.Context()).ID.String()}
		if err := s.compose(r.Context(), client, &a); err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a) // fails only if the caller has gone
	})
}

// statusOf hands on what one of the others has answered, or what the mesh says.
func statusOf(err error) int {
	if answered, ok := errors.AsType[*failure](err); ok {
		return answered.status
	}
	if refused, ok := errors.AsType[*mesh.Error](err); ok {
		return cmp.Or(refused.HTTPStatus(), http.StatusBadGateway)
	}
	return http.StatusBadGateway
}

// compose asks the others for what the service needs of them.
func (s service) compose(ctx context.Context, client *http.Client, a *answer) error {
	var other answer
	switch {
	case s.name == "productpage":
		if err := get(ctx, client, "http://details/details/0", &other); err != nil {
			return err
		}
		return get(ctx, client, "http://reviews/reviews/0", a)
	case s.name == "reviews" && s.version != "v1":
		err := get(ctx, client, "http://ratings/ratings/0", &other)
		a.Stars = other.Stars
		return err
	case s.name == "ratings":
		a.Stars = 5
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return &failure{url, resp.StatusCode, string(bytes.TrimSpace(why))}
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// A failure is an answer that is none.
type failure struct {
	url    string
	status int
	why    string
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s answered %d %s: %s", f.url, f.status, http.StatusText(f.status), f.why)
}
