package consul

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// FuzzSplit: the documents of a file hold what the file holds, at the same lines.
func FuzzSplit(f *testing.F) {
	const one = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n"
	const two = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: b}\nspec:\n  host: b\n"
	for _, text := range []string{
		one, one + "---\n" + two, "# a\n---\n" + one + "...\n" + two, "%YAML 1.2\n---\n" + one, "--- # x\r\n" + one + "---\r\n" + two,
		"---\n---\n" + one + "---", `{"a": 1}` + one, "", "...\n...\n", "a: |\n  ---\n  b\n---\n" + two, "\xef\xbb\xbf" + one,
	} {
		f.Add(text, false)
	}
	f.Add(`{"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "a"}, "spec": {"host": "a"}} {}`, true)
	f.Fuzz(func(t *testing.T, text string, json bool) {
		file := rules.Text{Name: "f.yaml", Data: []byte(text)}
		if json {
			file.Name = "f.json"
		}
		whole, err := rules.Parse(file.Name, file.Data)
		if err != nil {
			return // documents are checked one by one
		}
		want := places(whole)
		got := map[place]bool{}
		for _, d := range split(file) {
			set, err := rules.Parse(d.Name, d.Data)
			if err != nil {
				t.Fatalf("a document is at fault, the file is not: %v\n%q", err, d.Data)
			}
			for m := range places(set) {
				got[m] = true
			}
		}
		if len(got) != len(want) {
			t.Fatalf("the documents have %v, the file %v", got, want)
		}
		for m := range want {
			if !got[m] {
				t.Errorf("%s %s of line %d is not there: %v", m.kind, m.name, m.line, got)
			}
		}
	})
}

// A place is an object with its line.
type place struct {
	kind, namespace, name string
	line                  int
}

// places are the objects with their lines.
func places(s *rules.Set) map[place]bool {
	out := map[place]bool{}
	for m := range metas(s) {
		out[place{m.Kind, m.Namespace, m.Name, m.Line}] = true
	}
	return out
}
