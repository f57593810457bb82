package consultest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// An Agent is a Consul agent with its port, its data and its process.
type Agent struct {
	t       testing.TB
	binary  string
	dir     string // has the configuration, the data and the log
	ports   ports
	config  Config
	process *process // nil: not running
	begun   int      // how often it was launched, since somebody wanted it to be
}

// Start starts an agent and returns when it has found a leader. It ends with
// the test.
func Start(t testing.TB, c Config) *Agent {
	t.Helper()
	a := begin(t, c, newPorts(t))
	a.await("a leader", a.hasLeader)
	return a
}

// begin starts an agent, and does not wait for it.
func begin(t testing.TB, c Config, p ports) *Agent {
	t.Helper()
	a := &Agent{t: t, binary: Binary(t), dir: t.TempDir(), ports: p, config: c}
	config, err := json.MarshalIndent(c.settings(a.dir, p), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.configFile(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.end)
	a.start()
	return a
}

// Address is the host and port of the agent's HTTP API. It stays the same.
func (a *Agent) Address() string { return address(a.ports.HTTP) }

// Node is the name of the agent's node.
func (a *Agent) Node() string { return a.config.name() }

// Kill ends the agent, as by a power cut, if it runs.
func (a *Agent) Kill() {
	if a.process != nil {
		a.process.kill()
		a.process = nil
	}
}

// Restart starts an agent that was killed again, with its data, and waits for a
// leader.
func (a *Agent) Restart() {
	a.t.Helper()
	a.Kill()
	a.start()
	a.await("a leader", a.hasLeader)
}

// Forget removes the data of an agent that was killed.
func (a *Agent) Forget() {
	a.t.Helper()
	if err := os.RemoveAll(filepath.Join(a.dir, "data")); err != nil {
		a.t.Fatal(err)
	}
}

// Pause freezes the agent: connections to it are accepted, and not answered.
func (a *Agent) Pause() { a.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (a *Agent) Resume() { a.signal(syscall.SIGCONT) }

func (a *Agent) signal(s syscall.Signal) {
	a.t.Helper()
	if err := a.process.cmd.Process.Signal(s); err != nil {
		a.t.Fatal(err)
	}
}

func (a *Agent) configFile() string { return filepath.Join(a.dir, "agent.json") }
func (a *Agent) logFile() string    { return filepath.Join(a.dir, "log") }

func (a *Agent) start() {
	a.t.Helper()
	a.begun = 0
	a.launch()
}

func (a *Agent) launch() {
	a.t.Helper()
	a.begun++
	p, err := launch(a.logFile(), a.binary, "agent", "-config-file", a.configFile())
	if err != nil {
		a.t.Fatal(err)
	}
	a.process = p
}

func (a *Agent) end() {
	a.Kill()
	if log, err := os.ReadFile(a.logFile()); a.t.Failed() && err == nil {
		a.t.Logf("the end of the log of %s:\n%s", a.Node(), tail(log))
	}
}

// startTime is how long an agent may take to be ready, on a machine that has
// much else to do.
const startTime = 90 * time.Second

// launches are how many times an agent is launched that ends by itself: one of its
// ports may be another program's for a moment.
const launches = 5

// await returns when ready says so; the test fails where that does not come.
func (a *Agent) await(what string, ready func(context.Context) bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), startTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx) {
		select {
		case <-tick.C:
		case <-a.ended():
			if a.begun == launches {
				a.t.Fatalf("the agent %s has ended %d times before it had %s", a.Node(), launches, what)
			}
			a.Kill()
			a.launch()
		case <-ctx.Done():
			a.t.Fatalf("the agent %s has no %s after %v", a.Node(), what, startTime)
		}
	}
}

// ended is closed when an agent has ended that nobody has killed.
func (a *Agent) ended() <-chan struct{} {
	if a.process == nil {
		return nil
	}
	return a.process.ended
}

// hasLeader says that there is a leader who has set up what is his: a CA last.
func (a *Agent) hasLeader(ctx context.Context) bool {
	var leader string
	var ca struct{ TrustDomain string }
	return a.get(ctx, "/v1/status/leader", &leader) == nil && leader != "" &&
		a.get(ctx, "/v1/connect/ca/roots", &ca) == nil && ca.TrustDomain != ""
}

// get asks the HTTP API on a connection of its own, which it leaves to nobody.
func (a *Agent) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Address()+path, nil)
	if err != nil {
		return err
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
