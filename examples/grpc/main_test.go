package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneCallInFiveGoesToTheCanaryAndNoneFails(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-once", "-json", "-n", "1000"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for what, by := range map[string]map[string]int{"unary": r.Unary, "streams": r.Streams} {
		if by["v1"]+by["v2"] != 1000 || by["v2"] < 130 || by["v2"] > 270 { // five standard deviations
			t.Errorf("%s: %v, want about 800 and 200", what, by)
		}
	}
	if r.Failed != 0 || r.Retries < 50 || r.Denied != 1 || r.MTLS != 1 {
		t.Errorf("got %+v", r)
	}
}

// A stopper stops the program at the end of its second line.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Count(s.String(), "\n") > 1 {
		s.stop()
	}
	return n, err
}

func TestWithoutABoundItRunsUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	stdout := &stopper{stop: cancel}
	if code := run(ctx, nil, stdout, &stderr); code != 0 || strings.Count(stdout.String(), "\n") < 2 || strings.Contains(stdout.String(), "streams map[];") {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, args := range [][]string{{"-n", "0", "-once"}, {"-json"}, {"more"}, {"-what"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != 2 || stderr.Len() == 0 {
			t.Errorf("%q: exit code %d, %q", args, code, stderr.String())
		}
	}
}
