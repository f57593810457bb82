package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// command runs a command as main does.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// Each command's exit code and what it prints, against testdata/golden.
func TestCommandsPrintWhatTheyDid(t *testing.T) {
	const shop = "explain -n shop -f testdata/valid "
	for name, line := range map[string]string{
		"lint valid":                    "lint testdata/valid",
		"lint invalid":                  "lint testdata/invalid",
		"lint refused":                  "lint testdata/refused",
		"lint the worst of several":     "lint testdata/valid/shop.yaml testdata/refused testdata/invalid/reviews.yaml",
		"lint json":                     "lint -json testdata/invalid",
		"lint json valid":               "lint testdata/valid/shop.yaml -json",
		"explain split and mirror":      shop + "GET http://catalogue/",
		"explain header and path":       shop + "GET http://www.shop.example/beta/1 -H end-user:jason",
		"explain query":                 shop + "GET http://catalogue.shop/?beta=1",
		"explain redirect":              shop + "POST http://catalogue/old/x",
		"explain caller's labels":       shop + "-from app=partner,version=v1 GET http://catalogue/",
		"explain host header":           shop + "GET http://10.1.2.3/old -H Host:catalogue",
		"explain service entry":         shop + "GET http://audit/",
		"explain unknown host":          shop + "GET http://example.org/",
		"explain other namespace":       "explain -f testdata/valid/shop.yaml GET http://catalogue/",
		"explain safe replay, missing":  "explain -n other -f testdata/more POST http://orders/7",
		"explain routes for others":     "explain -n other -from app=teller -f testdata/more GET http://bills/",
		"explain no route":              "explain -n other -f testdata/more GET http://orders/7",
		"explain invalid rules":         "explain -f testdata/invalid GET http://reviews/",
		"explain refused rules":         "explain -f testdata/refused GET http://reviews/",
		"explain mutual TLS":            "explain -f testdata/secure GET http://reviews/",
		"explain connection":            "explain -f testdata/tcp CONNECT tcp://store:3306",
		"explain connection by address": "explain -f testdata/tcp -from app=x CONNECT tcp://240.0.0.7:3306",
		"explain connection to nobody":  "explain -f testdata/tcp CONNECT tcp://store:1",
		"explain json":                  shop + "-json GET http://audit/",
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, strings.Fields(line)...)
			golden(t, name, transcript(line, code, stdout, stderr))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name)+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrongCommandsAreUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                      "usage: meshrules lint",
		"mend":                                  `no command "mend"`,
		"lint":                                  "which FILE or DIR?",
		"lint -x testdata/valid":                "-x",
		"lint testdata/none":                    "testdata/none",
		"explain GET http://a/":                 "-f says which rules",
		"explain -f testdata/none GET http://a": "testdata/none",
		"explain -f testdata/valid GET":         `got 1 arguments ["GET"]`,
		"explain -f testdata/valid GET /a":      `URL "/a": want http://HOST/PATH`,
		"explain -f testdata/valid G=T http://a/ extra":     "got 3 arguments",
		"explain -f testdata/valid G(T http://a/":           `invalid method "G(T"`,
		"explain -f testdata/valid GET ftp://a/":            `URL "ftp://a/"`,
		"explain -f testdata/tcp CONNECT tcp://store":       `URL "tcp://store": want http://HOST/PATH, https://HOST/PATH or tcp://HOST:PORT`,
		"explain -f testdata/valid GET http://a/ -from app": `"app": want KEY=VALUE`,
		"explain -f testdata/valid GET http://a/ -H app":    "want 'Name: value'",
		"apply":                            "apply: which FILE or DIR?",
		"delete -n":                        "delete: which FILE or DIR?",
		"apply testdata/none":              "testdata/none",
		"diff -n testdata/push/v1":         "-n",
		"status testdata":                  `status: unexpected argument "testdata"`,
		"apply -prefix / testdata/push/v1": `-prefix "/": want a folder`,
		"status -agent ftp://127.0.0.1":    "ftp",
	} {
		code, stdout, stderr := command(t, strings.Fields(line)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("meshrules %s: exit %d, stdout %q, stderr %q; want exit %d and %q", line, code, stdout, stderr, exitUsage, want)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, line := range []string{"help", "-h", "lint -h", "explain -help"} {
		if code, stdout, stderr := command(t, strings.Fields(line)...); code != exitValid || stdout != usage || stderr != "" {
			t.Errorf("meshrules %s: exit %d, stdout %q, stderr %q; want the usage", line, code, stdout, stderr)
		}
	}
}

func TestLinesNameThePlaceFirstAndTheSeverityLast(t *testing.T) {
	_, stdout, _ := command(t, "lint", "testdata/invalid")
	first, _, _ := strings.Cut(stdout, "\n")
	if !strings.HasPrefix(first, "testdata/invalid/reviews.yaml:8: VirtualService default/reviews: spec.http[0].timeout: ") ||
		!strings.HasSuffix(first, " [invalid]") {
		t.Error(first)
	}
}

// What scripts read is the mesh's own value.
func TestJSONExplanationDecodesToTheMeshsOwn(t *testing.T) {
	code, stdout, _ := command(t, "explain", "-json", "-n", "shop", "-f", "testdata/valid", "GET", "http://catalogue/")
	var e mesh.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil || code != exitValid {
		t.Fatal(code, err)
	}
	if e.Rule == nil || e.Rule.Name != "catalogue" || len(e.Destinations) != 2 || e.Destinations[0].Share != 0.75 {
		t.Errorf("%+v", e)
	}
}

func TestAnIPv6HostHasBracketsBeforeAPort(t *testing.T) {
	for url, want := range map[string]string{"http://[fd00::1]:8080/": "host     [fd00::1]:8080\n", "http://[fd00::1]/": "host     fd00::1\n"} {
		if _, stdout, _ := command(t, "explain", "-f", "testdata/valid", "GET", url); !strings.Contains(stdout, want) {
			t.Errorf("%s:\n%s\nwant %q", url, stdout, want)
		}
	}
}

func TestAnEmptyDirectoryIsSeenToBeEmpty(t *testing.T) {
	code, _, stderr := command(t, "lint", t.TempDir())
	if code != exitValid || !strings.Contains(stderr, " 0 rules in force") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}
