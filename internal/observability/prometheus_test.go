package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// install is what brings what the tests need.
const install = "make needs"

// find finds a program of Debian's package prometheus.
func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: %s", program, install)
	}
	return path
}

// A prom is a Prometheus that runs.
type prom struct {
	url    string
	client *http.Client
	output bytes.Buffer
}

// runPrometheus has one scrape the targets each second, for as long as the test
// runs.
func runPrometheus(t *testing.T, targets []target) *prom {
	t.Helper()
	program := find(t, "prometheus")
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: mesh, static_configs: [{targets: [" + addresses(targets) + "]}]}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := &prom{url: "http://" + address, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus: %s", p.output.String())
		}
	})
	return p
}

func addresses(targets []target) string {
	var out []string
	for _, t := range targets {
		out = append(out, strconv.Quote(t.address))
	}
	return strings.Join(out, ", ")
}

// freeAddress is one on which nobody listens yet, and whose port no connection gets
// for its own end: systems take those above 32767.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// A sample is a series of an answer.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks for the value of an expression now.
func (p *prom) query(ctx context.Context, expression string) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(expression), nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	var out []sample
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		out = append(out, sample{r.Metric, value})
	}
	return out, nil
}

// await asks until the answer is good.
func (p *prom) await(t *testing.T, expression string, good func([]sample) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := p.query(ctx, expression)
		if err == nil && good(got) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: got %v (%v)", expression, got, err)
		}
	}
}

// awaitExposition is what Prometheus is told, once there is such a metric.
func awaitExposition(t *testing.T, address, metric string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(time.Minute); ; {
		text := exposition(t, address)
		if strings.Contains(text, "\n"+metric) {
			return text
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("there is no %s in %s", metric, text)
		}
	}
}

// exposition is what Prometheus is told now.
func exposition(t *testing.T, address string) string {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
