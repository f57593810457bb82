package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program runs the program in this process, to its end.
func program(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// reportOf decodes what must be one JSON object and nothing else.
func reportOf(t *testing.T, stdout []byte) report {
	t.Helper()
	var r report
	dec := json.NewDecoder(bytes.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if dec.More() {
		t.Fatalf("more than one value in %q", stdout)
	}
	return r
}

func (r report) served() int {
	sum := 0
	for _, n := range r.ByVersion {
		sum += n
	}
	return sum
}

// within checks a binomial count: five standard deviations are exceeded once in
// two million runs.
func within(t *testing.T, what string, got, n int, p float64) {
	t.Helper()
	mean, dev := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(got)-mean) > 5*dev {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, got, n, mean, 5*dev)
	}
}

func TestPagesSplitNinetyToTen(t *testing.T) {
	code, stdout, stderr := program(t, "-once", "-n", "1500", "-json", "-rules", edited(t))
	r := reportOf(t, []byte(stdout))
	if code != exitOK || r.Requests != 1500 || r.Failed != 0 || r.served() != 1500 || r.Ejections != 0 {
		t.Fatalf("exit %d, %+v\n%s", code, r, stderr)
	}
	within(t, "v2", r.ByVersion["v2"], r.Requests, 0.1)
	if r.ByVersion["v3"] != 0 {
		t.Errorf("v3 has no share, and got %d", r.ByVersion["v3"])
	}
	if want := 1500 / 40; r.Retries < want || r.Retries > 2*want {
		t.Errorf("retries: %d, want about %d", r.Retries, want)
	}
	if r.MTLS != 1 || r.Denied != 1 {
		t.Errorf("mutual TLS on %v of the requests, %v of the stranger's refused, want all", r.MTLS, r.Denied)
	}
	if r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("p50 %v, p99 %v", r.P50, r.P99)
	}
}

func TestAnIllServerIsEjectedAndItsPeerAnswers(t *testing.T) {
	code, stdout, stderr := program(t, "-once", "-n", "1500", "-json", "-break", "v2", "-rules", edited(t))
	r := reportOf(t, []byte(stdout))
	if code != exitOK || r.Ejections != 1 || r.served()+r.Failed != 1500 {
		t.Fatalf("exit %d, %+v\n%s", code, r, stderr)
	}
	// Five in a row eject; as many as there are readers may be under way then.
	if r.Failed < 5 || r.Failed > 5+readers {
		t.Errorf("failed: %d, want 5 to %d", r.Failed, 5+readers)
	}
	within(t, "v2, failures included", r.ByVersion["v2"]+r.Failed, r.Requests, 0.1)
	for _, want := range []string{"is ill and answers 500s", "ejected for 30s: consecutive5xxErrors", "its circuit opened (ejections: 1)"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

func TestAnIllServerThatNobodyAsksIsSaidToBeUnnoticed(t *testing.T) {
	code, stdout, _ := program(t, "-once", "-n", "50", "-break", "v3")
	if code != exitOK || !strings.Contains(stdout, "reviews v3 got no requests") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

func TestTheBinaryPrintsOneJSONObject(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bookinfo")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-once", "-n", "300", "-json")
	cmd.Dir = t.TempDir() // where no rules are: it brings its own
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, stdout)
	if r.Requests != 300 || r.served() == 0 || r.served()+r.Failed != 300 { // where a machine is slow, some miss the shipped timeouts
		t.Errorf("%+v", r)
	}
	within(t, "v2", r.ByVersion["v2"], r.served(), 0.1)
}

func TestItEndsByItselfWhereNothingCanBeRedrawn(t *testing.T) {
	code, stdout, stderr := program(t, "-for", "4s", "-rps", "100")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	for _, want := range []string{"rules in force", "the page: http://127.0.0.1:", "  v2 ", "reviews v1"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Errorf("escape sequences where there is no terminal:\n%q", stdout)
	}
}

// A transcript is a writer that a test can wait on.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // holds a token after each write
	seen    int           // of the text, by the goroutine that waits
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{}, 1)} }

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// waitFor returns when want has been written after what was waited for before.
func (l *transcript) waitFor(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !l.skipPast(want) {
		select {
		case <-l.changed:
		case <-deadline:
			t.Fatalf("no %q after byte %d of\n%s", want, l.seen, l)
		}
	}
}

func (l *transcript) skipPast(want string) bool {
	text := l.String()[l.seen:]
	at := strings.Index(text, want)
	if at >= 0 {
		l.seen += at + len(want)
	}
	return at >= 0
}

// running starts the live tour on a copy of the rules.
func running(t *testing.T) (dir string, out *transcript, stop func() int) {
	t.Helper()
	dir, out = edited(t), newTranscript()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"-rules", dir, "-for", "10m"}, out, out) }()
	return dir, out, func() int { cancel(); return <-code }
}

// replace edits a file as editors do: it writes another and renames it.
func replace(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatal(err, path, old)
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(strings.ReplaceAll(string(text), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestEditsAreObeyedAndMistakesRejectedWhileItRuns(t *testing.T) {
	dir, out, stop := running(t)
	reviews := filepath.Join(dir, landmark)
	out.waitFor(t, "v3 0.0%  errors 0")

	replace(t, reviews, "weight: 90", "weight: 0")
	out.waitFor(t, "rules in force")
	out.waitFor(t, "v1 0.0%  v2 100.0%")

	replace(t, reviews, "weight: 10", "wieght: 10")
	out.waitFor(t, "rules rejected, those before stay in force:")
	out.waitFor(t, landmark+`:19: VirtualService default/reviews: spec.http[0].route[1].wieght: HTTPRouteDestination has no field "wieght"`)
	out.waitFor(t, "v1 0.0%  v2 100.0%")

	replace(t, reviews, "subset: v2", "subset: v3")
	replace(t, reviews, "wieght: 10", "weight: 10")
	out.waitFor(t, "rules in force")
	out.waitFor(t, "v2 0.0%  v3 100.0%  errors 0")

	if code := stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

func TestRulesThatAreWrongAtTheStartEndIt(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte("kind: VirtualService\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := program(t, "-rules", dir, "-once", "-n", "1", "-json")
	if code != exitFailure || stdout != "" || strings.Count(stderr, "bad.yaml:1: want a string: without apiVersion") > 1 || strings.Contains(stderr, "stay in force") || !strings.Contains(stderr, "bad.yaml:1: ") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestAnInterruptedRunSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	stderr := newTranscript()
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"-once", "-n", "1000000", "-json"}, &stdout, stderr) }()
	stderr.waitFor(t, "rules in force")
	cancel()
	if got := <-code; got != exitFailure || !strings.Contains(stderr.String(), " of 1000000 pages") && !strings.Contains(stderr.String(), "canceled") {
		t.Errorf("exit %d, %s", got, stderr)
	}
}

func TestWrongFlagsAreUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"-json":            "-n and -json go with -once",
		"-n 5":             "-n and -json go with -once",
		"-once -n 0":       "-n 0: want 1 to 1000000",
		"-once -n -3":      "-n -3: want 1 to 1000000",
		"-once -n 1000001": "-n 1000001: want 1 to 1000000",
		"-once -n many":    `invalid value "many" for flag -n`,
		"-once -for 3s":    "-for and -rps have no place",
		"-once -rps 3":     "-for and -rps have no place",
		"-rps 0":           "-rps 0: want 1 to 10000",
		"-for 0s":          "-for 0s: want more than 0s",
		"-break v4":        `-break "v4": want a version of reviews`,
		"-break=":          `-break "": want a version of reviews`,
		"-quick":           "-quick",
		"now":              `unexpected argument "now"`,
	} {
		code, stdout, stderr := program(t, strings.Fields(line)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want %q", line, code, stdout, stderr, want)
		}
	}
	if code, _, stderr := program(t, "-rules", "nowhere"); code != exitFailure || !strings.Contains(stderr, "-rules: stat nowhere") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func TestHelpIsNoError(t *testing.T) {
	if code, _, stderr := program(t, "-help"); code != exitOK || !strings.HasPrefix(stderr, "usage: bookinfo") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// edited is a copy of the shipped rules, without those files, in which no try is out
// of time because this machine is slow.
func edited(t *testing.T, without ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, shipped); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(dir, "rules", name)); err != nil {
			t.Fatal(err)
		}
	}
	dir = filepath.Join(dir, "rules")
	for _, file := range []string{"details.yaml", "ratings.yaml"} {
		replace(t, filepath.Join(dir, file), "imeout: ", "imeout: 60") // 60300ms, 602s and 60500ms
	}
	return dir
}

func TestWithoutPoliciesAStrangerGetsIn(t *testing.T) {
	_, stdout, stderr := program(t, "-once", "-n", "50", "-json", "-rules", edited(t, "authorization.yaml"))
	if r := reportOf(t, []byte(stdout)); r.Failed != 0 || r.MTLS != 1 || r.Denied != 0 {
		t.Errorf("%+v\n%s", r, stderr)
	}
}

func TestWithoutMutualTLSNobodyHasProvenAnything(t *testing.T) {
	dir := edited(t, "authentication.yaml")
	const off = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: DISABLE}}\n"
	if err := os.WriteFile(filepath.Join(dir, "authentication.yaml"), []byte(off), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stdout, stderr := program(t, "-once", "-n", "50", "-json", "-rules", dir)
	if r := reportOf(t, []byte(stdout)); r.Failed != 50 || r.MTLS != 0 || r.Denied != 1 {
		t.Errorf("%+v\n%s", r, stderr)
	}
}

func TestTheShippedRulesAreThoseOnDisk(t *testing.T) {
	entries, err := shipped.ReadDir("rules")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"authentication.yaml", "authorization.yaml", "details.yaml", "ratings.yaml", "reviews-destinationrule.yaml", "reviews-virtualservice.yaml"}
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}
