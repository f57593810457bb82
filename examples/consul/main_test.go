package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/internal/consultest"
)

// TestMain is also the main of the processes that the program starts: they are
// this program again, which here is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "keep") {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// start runs the program with what it says of trouble in a file: its processes
// write there, too.
func start(t *testing.T, ctx context.Context, stdout io.Writer, args ...string) (code int, stderr string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	code = run(ctx, args, os.Stdin, stdout, file)
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text)
}

func TestSixProcessesGoByTheRulesInConsulAndNoPageFails(t *testing.T) {
	var stdout bytes.Buffer
	code, stderr := start(t, t.Context(), &stdout, "-once", "-json", "-n", "500", "-consul", consultest.Binary(t), "-rules", patient(t))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Pages != 500 || r.Failed != 0 || r.MTLS != 1 || r.Refused != 1 || !r.Denied || r.Servers != 3 || r.Processes != 6 || r.Rules == "" {
		t.Errorf("%+v; %s", r, stderr)
	}
	if v1, v2 := r.ByVersion["v1"], r.ByVersion["v2"]; v1+v2 != 500 || v2 < 17 || v2 > 83 { // five standard deviations
		t.Errorf("%v, want about 450 and 50", r.ByVersion)
	}
	if stderr != "" {
		t.Errorf("there was trouble: %s", stderr)
	}
}

// patient is a copy of the rules in which no try is out of time because this machine
// is slow.
func patient(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := options{}.files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := strings.ReplaceAll(string(f.Data), "imeout: ", "imeout: 60") // 601s, 608s and 602s
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A stopper stops the program when it has seen what it wants.
type stopper struct {
	bytes.Buffer
	want string
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.want) {
		s.stop()
	}
	return n, err
}

func TestWithoutABoundItRunsUntilItIsStopped(t *testing.T) {
	binary := consultest.Binary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	stdout := &stopper{want: "20 pages, 0 failed", stop: cancel}
	code, stderr := start(t, ctx, stdout, "-consul", binary)
	if code != exitOK || !strings.Contains(stdout.String(), stdout.want) {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr)
	}
}

// Agents that are kept end when the process that started them is no more.
func TestWhatIsKeptEndsWithStandardInput(t *testing.T) {
	begun := time.Now()
	if code := run(t.Context(), []string{"keep", "sleep", "60"}, strings.NewReader(""), io.Discard, os.Stderr); code != exitOK || time.Since(begun) > 30*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(begun))
	}
	if code := run(t.Context(), []string{"keep", "false"}, hung(t), io.Discard, os.Stderr); code != exitFailure {
		t.Errorf("exit code %d of a program that failed", code)
	}
}

// hung is an input that ends with the test.
func hung(t *testing.T) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return r
}

func TestRulesAtFaultStartNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: VirtualService\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stderr := start(t, t.Context(), new(bytes.Buffer), "-rules", dir)
	if code != exitFailure || !strings.Contains(stderr, "a.yaml:1") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, args := range [][]string{{"-n", "0", "-once"}, {"-json"}, {"more"}, {"-what"}, {"-consul"}} {
		if code, stderr := start(t, t.Context(), new(bytes.Buffer), args...); code != exitUsage || stderr == "" {
			t.Errorf("%q: exit code %d, %q", args, code, stderr)
		}
	}
	for _, args := range [][]string{{"serve"}, {"keep"}, {"-consul", "/no/consul"}} {
		if code, stderr := start(t, t.Context(), new(bytes.Buffer), args...); code != exitFailure || stderr == "" {
			t.Errorf("%q: exit code %d, %q", args, code, stderr)
		}
	}
}
