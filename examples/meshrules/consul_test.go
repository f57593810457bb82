package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// What a team does with the rules in Consul, step by step, each command's exit code
// and what it prints, against testdata/golden.
func TestRulesArePushedToConsul(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	t.Setenv("CONSUL_HTTP_ADDR", agent.Address())
	for _, step := range []struct{ name, line string }{
		{"apply invalid", "apply testdata/invalid"},
		{"apply refused", "apply testdata/refused"},
		{"diff before", "diff testdata/push/v1"},
		{"apply dry", "apply -n testdata/push/v1"},
		{"apply", "apply testdata/push/v1"},
		{"apply again", "apply testdata/push/v1"},
		{"diff", "diff testdata/push/v2"},
		{"diff of another prefix", "diff -prefix other/team testdata/push/v2/reviews.yaml"},
		{"apply changes", "apply testdata/push/v2"},
		{"delete dry", "delete -n testdata/push/v1"},
		{"delete", "delete testdata/push/v1/reviews.yaml testdata/more"},
		{"status of nobody", "status"},
		{"status json", "status -json"},
	} {
		code, stdout, stderr := command(t, strings.Fields(step.line)...)
		golden(t, "consul "+step.name, transcript(step.line, code, stdout, stderr))
	}
}

func transcript(line string, code int, stdout, stderr string) string {
	return fmt.Sprintf("$ meshrules %s\n%s-- stderr --\n%s-- exit %d --\n", line, stdout, stderr, code)
}

// dial is a client of the agent. Its idle connections end with the test.
func dial(t *testing.T, agent *consultest.Agent) *api.Client {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: agent.Address(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// follow is a process that goes by the rules in Consul, until the test ends.
func follow(t *testing.T, client *api.Client, name string) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for range consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Subscriber: name}).Watch(ctx) {
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

// awaitStatus runs status until it prints what is wanted.
func awaitStatus(t *testing.T, agent *consultest.Agent, code int, want string) {
	t.Helper()
	pattern := regexp.MustCompile(want)
	late := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got, stdout, stderr := command(t, "status", "-agent", agent.Address())
		if got == code && pattern.MatchString(stdout) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("exit %d, stdout %s\nstderr %s\nwant exit %d, %s", got, stdout, stderr, code, want)
		}
	}
}

func TestStatusTellsWhoGoesByWhatStands(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	if code, _, stderr := command(t, "apply", "-agent", "http://"+agent.Address(), "testdata/push/v1"); code != exitValid {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	follow(t, client, "productpage")
	follow(t, client, "reviews")
	awaitStatus(t, agent, exitValid, `(?m)^productpage +\w+ +\d{4}-\S+Z +in force\nreviews +\w+ +\S+ +in force\nthe rules that stand have version \w+$`)

	put(t, client, "inmesh/default/VirtualService/other", "what?")
	awaitStatus(t, agent, exitInvalid, `(?m)^productpage +\w+ +\S+ +rejected: inmesh/default/VirtualService/other:1: `)
	_, stdout, _ := command(t, "status", "-agent", agent.Address(), "-json")
	if !strings.HasPrefix(stdout, "{\n  \"version\": \"\",\n  \"faults\": [\n") {
		t.Errorf("the rules at fault: %s", stdout)
	}
}

func put(t *testing.T, client *api.Client, key, value string) {
	t.Helper()
	if _, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		t.Fatal(err)
	}
}

// A subscriber that rejects the rules that stand, or has not got them yet, is not
// passed over in silence.
func TestStatusFailsWhereSomebodyIsBehind(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	put(t, client, "inmesh.status/old", `{"subscriber": "old", "version": "1", "since": "2026-01-02T03:04:05Z"}`)
	awaitStatus(t, agent, exitDiffers, `(?m)^old +1 +2026-01-02T03:04:05Z +another version$`)
	put(t, client, "inmesh.status/old", `{"subscriber": "old", "rejected": "one\ntwo"}`)
	awaitStatus(t, agent, exitDiffers, `(?m)^old +none +- +rejected: one; two$`)
}

// What stands in KV is validated with what comes: subscribers take all or nothing.
func TestNothingIsWrittenBesideWhatIsAtFault(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	put(t, client, "inmesh/default/VirtualService/other", "what?")
	code, stdout, stderr := command(t, "apply", "-agent", agent.Address(), "testdata/push/v1")
	if code != exitInvalid || stdout != "" || !strings.Contains(stderr, "inmesh/default/VirtualService/other:1: ") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if keys, _, err := client.KV().Keys("inmesh/", "", nil); err != nil || len(keys) != 1 {
		t.Errorf("written: %q, %v", keys, err)
	}
}

func TestAnAgentThatIsNotThereIsToldAsSuch(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", consultest.FreePort(t))
	for _, verb := range []string{"apply", "diff", "delete", "status"} {
		args := []string{verb, "-agent", address}
		if verb != "status" {
			args = append(args, "testdata/push/v1")
		}
		if code, stdout, stderr := command(t, args...); code != exitConsul || stdout != "" || !strings.Contains(stderr, address) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", verb, code, stdout, stderr)
		}
	}
}

func TestOnlyTheLinesAroundAChangeAreShown(t *testing.T) {
	var out strings.Builder
	writeLines(&out, consul.Change{Old: "1\n2\n3\n4\n5\n6\n7\n", New: "1\n2\n3\nfour\n5\n6\n7\n8\n"})
	const want = "    …\n    2\n    3\n  - 4\n  + four\n    5\n    6\n    7\n  + 8\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	long := strings.Repeat("x\n", 3000)
	writeLines(&out, consul.Change{Old: long, New: long + "y\n"})
	if n := strings.Count(out.String(), "\n"); n != 6001 {
		t.Errorf("of what is too long to compare, %d lines are shown, want all 6001", n)
	}
}

func TestADirectoryWithoutRulesIsNotApplied(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("# none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "apply", dir); code != exitUsage || !strings.Contains(stderr, "no rules in "+dir) {
		t.Errorf("exit %d, %q", code, stderr)
	}
}
