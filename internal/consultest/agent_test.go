package consultest_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/internal/consultest"
)

// ask returns what the agent says at path, in JSON.
func ask[T any](t *testing.T, a *consultest.Agent, path string) (value T) {
	t.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + a.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAgentCanBeHad(t *testing.T) {
	out, err := exec.Command(consultest.Binary(t), "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "Consul v1.") {
		t.Errorf("consul version says %q, %v", out, err)
	}
}

func TestAgentAnswersAndKeepsItsAddressAcrossARestart(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{Node: "n1"})
	if nodes := ask[[]struct{ Node string }](t, agent, "/v1/catalog/nodes"); len(nodes) > 1 || agent.Node() != "n1" {
		t.Errorf("the nodes are %v", nodes)
	}
	before := agent.Address()
	agent.Restart()
	if agent.Address() != before {
		t.Errorf("the agent has moved from %s to %s", before, agent.Address())
	}
}

// An agent that is started again may find one of its ports taken, for nobody holds
// them while it is down.
func TestAnAgentWhosePortIsAnothersForAMomentStartsAllTheSame(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	agent.Kill()
	other, err := net.Listen("tcp", agent.Address())
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer other.Close()
		for range time.Tick(20 * time.Millisecond) {
			if log, _ := agent.Log(); strings.Contains(log, "address already in use") || t.Context().Err() != nil {
				return
			}
		}
	})
	t.Cleanup(waiting.Wait)
	agent.Restart()
	if log, _ := agent.Log(); !strings.Contains(log, "address already in use") {
		t.Errorf("it has not been in the way; the log:\n%s", log)
	}
}

// Agents take their ports later, so nobody listens when the next test chooses its own.
func TestPortsAreOneTestsAlone(t *testing.T) {
	taken := map[int]bool{}
	for range 500 {
		port := consultest.FreePort(t)
		if taken[port] {
			t.Errorf("port %d is had twice", port)
		}
		taken[port] = true
	}
}

func TestClusterElectsAnotherLeader(t *testing.T) {
	cluster := consultest.StartCluster(t, 3)
	first := cluster.Leader()
	first.Kill()
	if cluster.Leader() == first {
		t.Fatal("the leader is one that was killed")
	}
	first.Restart()
	if n := len(ask[[]string](t, first, "/v1/status/peers")); n != 3 {
		t.Errorf("%d servers after the restart, want 3", n)
	}
}
