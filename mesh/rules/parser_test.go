package rules_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// parse reads one file that holds the documents.
func parse(t *testing.T, p *rules.Parser, documents ...string) []*rules.DestinationRule {
	t.Helper()
	set, err := p.Parse(rules.Text{Name: "a.yaml", Data: []byte(strings.Join(documents, "---\n"))})
	if err != nil {
		t.Fatal(err)
	}
	return set.DestinationRules
}

func TestUnchangedDocumentsKeepTheirIdentity(t *testing.T) {
	a, b, b2, c := rule("a", "{host: a}"), rule("b", "{host: b}"), rule("b", "{host: b2}"), rule("c", "{host: c}")
	var p rules.Parser
	first := parse(t, &p, a, b, c)
	second := parse(t, &p, a, b2, c)
	if first[0] != second[0] || first[2] != second[2] {
		t.Error("an unchanged document gave another object")
	}
	if first[1] == second[1] || second[1].Spec.Host != "b2" {
		t.Error("a changed document gave the same object")
	}
}

// Its lines are other ones, so that the object is; the spec is the same.
func TestMovedDocumentsKeepTheirSpec(t *testing.T) {
	a, b := rule("a", "{host: a}"), rule("b", "{\n  host: b, exportTo: [\".\"]}")
	var p rules.Parser
	first := parse(t, &p, a, b)
	second := parse(t, &p, "# a comment\n"+a, b)
	if first[1] == second[1] || first[1].Spec != second[1].Spec {
		t.Error("want another object with the same spec")
	}
	if first[1].LineOf("spec.host") != 10 || second[1].LineOf("spec.host") != 11 || first[1].Line != 6 || second[1].Line != 7 {
		t.Errorf("lines %d and %d", first[1].LineOf("spec.host"), second[1].LineOf("spec.host"))
	}
}

func TestMovedWarningsMove(t *testing.T) {
	foreign := "apiVersion: v1\nkind: Service\n"
	var p rules.Parser
	for _, c := range []struct {
		text string
		line int
	}{{foreign, 1}, {"\n\n" + foreign, 3}, {"# a\n---\n" + foreign, 3}, {rule("a", "{host: a}") + "---\n" + foreign, 6}} {
		set, err := p.Parse(rules.Text{Name: "b.yaml", Data: []byte(c.text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Warnings[len(set.Warnings)-1]; got.File != "b.yaml" || got.Line != c.line {
			t.Errorf("%q: %v, want line %d", c.text, got, c.line)
		}
	}
}

func TestVersionTellsContentsApart(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{"", rule("a", "{host: a}"), rule("a", "{host: b}"), rule("a", "{host: a}") + "---\n" + rule("b", "{host: b}")} {
		set, err := rules.Parse("a.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[set.Version]; ok || len(set.Version) != 12 {
			t.Errorf("version %s of %q is that of %q", set.Version, text, other)
		}
		seen[set.Version] = text
	}
}

func TestTextIsNotTakenForJSONBecauseItWasYAML(t *testing.T) {
	text := []byte("{apiVersion: v1, kind: Service}")
	var p rules.Parser
	if _, err := p.Parse(rules.Text{Name: "a.yaml", Data: text}); err != nil {
		t.Fatal(err)
	}
	_, err := p.Parse(rules.Text{Name: "a.json", Data: text})
	wantFault(t, err, "a.json:1: not JSON: ")
}
