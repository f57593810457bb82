package browser_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// pages is where the pages' files are.
const pages = "../../mesh/admin/pages"

var vendored = regexp.MustCompile(`(?m)^\| (\S+\.mjs) \|.*\| ([0-9a-f]{64}) \|$`)

// TestWhatIsNotOursIsUnchanged: each script of others is the one that the list of
// them names.
func TestWhatIsNotOursIsUnchanged(t *testing.T) {
	dir := filepath.Join(pages, "vendor")
	list, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, row := range vendored.FindAllStringSubmatch(string(list), -1) {
		want[filepath.Join(dir, row[1])] = row[2]
	}
	have, err := filepath.Glob(filepath.Join(dir, "*", "*.*js"))
	if err != nil || len(have) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range have {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want[name] {
			t.Errorf("%s: its sum is %x, the list says %q", name, sum, want[name])
		}
	}
}
