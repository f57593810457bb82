package consultest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Required is the environment variable that, with the value "required", makes
// tests fail which have no agent.
const Required = "INMESH_CONSUL"

// Binary is the path of consul, which is built if it is not there. Without one
// the test ends.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
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

func binary() (string, error) {
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
	unlock, err := lock(kept + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(kept); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	return kept, build(module, kept)
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
func build(module, path string) error {
	part := path + ".part"
	cmd := exec.Command("go", "build", "-C", module, "-buildvcs=false", "-o", part, "github.com/hashicorp/consul")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building it in %s: %w: %s", module, err, tail(out))
	}
	return os.Rename(part, path)
}

// tail is the end of what a program has written, where it says why it failed.
func tail(out []byte) []byte {
	const most = 2000
	return bytes.TrimSpace(out[max(0, len(out)-most):])
}
