package browser_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// bookinfo builds the program, once. The directory it is in goes with the tests.
var bookinfo = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bookinfo-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "bookinfo")
	build := exec.Command("go", "build", "-o", program, "./examples/bookinfo")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return program, fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// A tour is examples/bookinfo as it runs.
type tour struct {
	t     *testing.T
	url   string // of the pages
	rules string // its directory
}

// address is how the program names the pages.
var address = regexp.MustCompile(`the mesh: (http://127\.0\.0\.1:\d+/)`)

// startTour starts the program with rules of its own, and perhaps more arguments.
func startTour(t *testing.T, more ...string) *tour {
	t.Helper()
	program, err := bookinfo()
	if err != nil {
		t.Fatal(err)
	}
	d := &tour{t: t, rules: filepath.Join(t.TempDir(), "rules")}
	if err := os.CopyFS(d.rules, os.DirFS("../../examples/bookinfo/rules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"-rules", "rules", "-rps", "100", "-for", "15m"}, more...)...)
	cmd.Dir = filepath.Dir(d.rules)
	d.run(cmd)
	return d
}

// run starts the process, and reads its output until it says where the pages are.
func (d *tour) run(cmd *exec.Cmd) {
	d.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	read := make(chan struct{})
	d.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-read
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("bookinfo: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	for d.url == "" && err == nil {
		var line string
		line, err = lines.ReadString('\n')
		if found := address.FindStringSubmatch(line); found != nil {
			d.url = found[1]
		}
	}
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, lines)
	}()
	if d.url == "" {
		d.t.Fatal("bookinfo does not say where its pages are")
	}
}

// edit changes a file of rules.
func (d *tour) edit(name, old, to string) {
	d.t.Helper()
	path := filepath.Join(d.rules, name)
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	changed := bytes.ReplaceAll(text, []byte(old), []byte(to))
	if bytes.Equal(text, changed) {
		d.t.Fatalf("%s has no %q", name, old)
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// version is that of the rules in force.
func (d *tour) version() string {
	d.t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(d.url + "api/rules")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var rules struct{ Version string }
	if err := json.NewDecoder(resp.Body).Decode(&rules); err != nil {
		d.t.Fatal(err)
	}
	return rules.Version
}
