package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/consul/api"
)

// servers are enough to lose one.
const servers = 3

// An agent is a Consul server: in real life on a machine of its own.
type agent struct {
	name    string
	dir     string // has its configuration, data and log
	address string // of its HTTP API

	raft, serf int // ports

	process *process
}

// agentModule is where Go builds the agent from, seen from the repository's root.
const agentModule = "internal/consultest/agent"

// findConsul is the program that was asked for, else consul on the PATH, else one
// that Go builds, for which it fetches the sources: that takes minutes, once.
func findConsul(ctx context.Context, asked string, stderr io.Writer) (string, error) {
	if asked != "" {
		return exec.LookPath(asked)
	}
	if path, err := exec.LookPath("consul"); err == nil {
		return path, nil
	}
	if _, err := os.Stat(filepath.Join(agentModule, "go.mod")); err != nil {
		return "", errors.New("there is no consul on the PATH: name one by -consul, or run this from the repository's root to have it built")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "inmesh")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "example-consul")
	fmt.Fprintln(stderr, "there is no consul on the PATH: building", path)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", agentModule, "-buildvcs=false", "-o", path, "github.com/hashicorp/consul")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w", path, err)
	}
	return path, nil
}

// newAgents takes ports for the servers.
func newAgents(dir string) (all []*agent, _ error) {
	for i := range servers {
		ports, err := freePorts(3)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("server%d", i+1)
		all = append(all, &agent{
			name: name, dir: filepath.Join(dir, name),
			address: fmt.Sprintf("127.0.0.1:%d", ports[0]), raft: ports[1], serf: ports[2],
		})
	}
	return all, nil
}

// freePorts are all taken for a moment, so that they differ.
func freePorts(n int) (ports []int, _ error) {
	for range n {
		l, err := takePort()
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// takePort listens on a port that no connection gets for its own end: systems take
// those above 32767, and one of them may be gone before an agent has started.
func takePort() (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))); err == nil {
			return l, nil
		}
	}
	return nil, err
}

type settings = map[string]any

// settings are the agent's configuration, in the words of
// https://developer.hashicorp.com/consul/docs/agent/config/config-files
func (a *agent) settings(join []string) settings {
	_, port, _ := net.SplitHostPort(a.address)
	return settings{
		"node_name": a.name, "datacenter": "dc1", "data_dir": filepath.Join(a.dir, "data"),
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
		"server": true, "bootstrap_expect": servers, "retry_join": join, "retry_interval": "1s",
		"ports": settings{
			"http": json.Number(port), "server": a.raft, "serf_lan": a.serf,
			"serf_wan": -1, "grpc": -1, "grpc_tls": -1, "dns": -1, "https": -1,
		},
		"connect": settings{"enabled": true}, "performance": settings{"raft_multiplier": 3},
		"log_level": "warn", "disable_update_check": true,
	}
}

// start starts the agent, and does not wait for it.
func (a *agent) start(consul string, join []string, stderr io.Writer) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	config, err := json.Marshal(a.settings(join))
	if err != nil {
		return err
	}
	file, log := filepath.Join(a.dir, "agent.json"), filepath.Join(a.dir, "log")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return err
	}
	a.process, err = begin(a.name, stderr, "keep", consul, "agent", "-config-file", file, "-log-file", log)
	return err
}

// dial makes a client that keeps no connections.
func dial(address string) (*api.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	return api.NewClient(&api.Config{Address: address, Scheme: "http", Transport: transport})
}

// ready returns when the agent knows a leader, who has set up his CA.
func (a *agent) ready(ctx context.Context) error {
	client, err := dial(a.address)
	if err != nil {
		return err
	}
	return until(ctx, a.name+" has a leader", func() error {
		roots, _, err := client.Connect().CARoots(new(api.QueryOptions).WithContext(ctx))
		if err == nil && roots.TrustDomain == "" {
			err = errors.New("there is no CA yet")
		}
		return err
	})
}

// until asks again and again, until the answer is nil.
func until(ctx context.Context, what string, ask func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, errors.Join(err, ctx.Err()))
		}
	}
}
