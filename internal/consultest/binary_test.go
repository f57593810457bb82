package consultest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slowGo is a go whose builds take an hour.
const slowGo = `#!/bin/sh
test "$1" = build && exec %q 3600
exec %q "$@"
`

// Where there is no agent, the first test builds one, which may take longer than a
// package's tests have. Two processes wait: one for the build, one for its turn.
func TestAnAgentThatIsNotBuiltInTimeIsSkipped(t *testing.T) {
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), fmt.Appendf(nil, slowGo, sleep, real), 0o700); err != nil {
		t.Fatal(err)
	}
	outputs := make(chan string)
	for range 2 {
		go func() { outputs <- withPath(t.Context(), dir) }()
	}
	for range 2 {
		if out := <-outputs; !strings.Contains(out, "--- SKIP: TestAgentCanBeHad") || !strings.Contains(out, "it cannot be built in the time that the tests have") {
			t.Errorf("the test says:\n%s", out)
		}
	}
}

// withPath runs a test that needs an agent, with a second to build it in, where there
// is none.
func withPath(ctx context.Context, dir string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.run=^TestAgentCanBeHad$", "-test.timeout=5m1s")
	cmd.Env = append(os.Environ(), "PATH="+dir, "XDG_CACHE_HOME="+dir, "INMESH_CONSUL=")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return fmt.Sprintf("%s\n%v", out, err)
}
