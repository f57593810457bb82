package consultest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Required is the environment variable that, with the value "required", makes
// tests fail which have no agent.
const Required = "INMESH_CONSUL"

// spare is what tests keep of the time that they have, while the agent is built.
const spare = 5 * time.Minute

var errSlow = errors.New("it cannot be built in the time that the tests have: go test -timeout 30m ./internal/consultest builds it")

// Binary is the path of consul, which is built if it is not there. Without one
// the test ends: also where the tests would, for their time is over, before it is
// built. What is built of it then is kept by go.
func Binary(t testing.TB) string {
	t.Helper()
	ctx, cancel := limit(t)
	defer cancel()
	path, err := binary(ctx)
	switch {
	case err == nil:
		return path
	case os.Getenv(Required) == "required":
		t.Fatalf("%s=required, and there is no Consul agent: %v", Required, err)
	default:
		t.Skipf("there is no Consul agent: %v", err)
	}
	return ""
}

// limit ends when there is no more time to wait for an agent.
func limit(t testing.TB) (context.Context, context.CancelFunc) {
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ok := limited.Deadline(); ok {
			return context.WithDeadlineCause(t.Context(), end.Add(-spare), errSlow)
		}
	}
	return context.WithCancel(t.Context())
}

func binary(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("consul"); err == nil {
		return path, nil
	}
	module, err := moduleDir()
	if err != nil {
		return "", err
	}
	kept, err := keptPath(module)
	if err != nil {
		return "", err
	}
	if done, err := stands(kept); done || err != nil {
		return kept, err
	}
	unlock, err := lock(ctx, kept+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if done, err := stands(kept); done || err != nil {
		return kept, err
	}
	return kept, build(ctx, module, kept)
}

// stands says that an agent is built.
func stands(kept string) (bool, error) {
	_, err := os.Stat(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// moduleDir is the agent's module, in the repository that the test runs in.
func moduleDir() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Join(filepath.Dir(string(bytes.TrimSpace(out))), "internal", "consultest", "agent"), nil
}

// keptPath is where the agent of this go.mod is kept.
func keptPath(module string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return "", err
	}
	dir, err := keptDir()
	return filepath.Join(dir, fmt.Sprintf("consul-%x", sha256.Sum256(mod))[:19]), err
}

// keptDir is a directory for what outlives tests.
func keptDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "inmesh")
	return dir, os.MkdirAll(dir, 0o755)
}

// build makes the agent under another name first: one that stands is whole.
func build(ctx context.Context, module, path string) error {
	part := path + ".part"
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-buildvcs=false", "-o", part, "github.com/hashicorp/consul")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.WaitDelay = time.Second // for compilers that outlive go
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("building it in %s: %w: %s", module, err, tail(out))
	}
	return os.Rename(part, path)
}

// tail is the end of what a program has written, where it says why it failed.
func tail(out []byte) []byte {
	const most = 2000
	return bytes.TrimSpace(out[max(0, len(out)-most):])
}
