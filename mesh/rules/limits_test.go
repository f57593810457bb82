package rules_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestRefusesWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"syntax", "a.yaml", "a: b\n---\n\nx: [1,\ny: }\n", "a.yaml:5: not YAML: "},
		{"tab", "a.yaml", "---\n---\nkind: a\nx:\n \tb: c\n", "a.yaml:5: not YAML: found character that cannot start any token; the line begins with a tab, which indents nothing in YAML"},
		{"two flow roots", "a.yaml", "{kind: a}\n{kind: b}\n", "a.yaml:2: not YAML: "},
		{"unknown anchor", "a.yaml", "---\n---\na: *nowhere\n", "a.yaml:2: not YAML: unknown anchor"},
		{"json syntax", "a.json", "{\n\"a\": 1,\n}", "a.json:3: not JSON: "},
		{"json cut off", "a.json", "{\n\"a\": [1,\n2", "a.json:3: not JSON: unexpected EOF"},
		{"json duplicate", "a.json", `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule",
			"metadata":{"name":"a"},"spec":{"host":"a",
			"host":"b"}}`, "a.json:3: DestinationRule default/a: spec.host: written twice, first on line 2"},
		{"json number", "a.json", `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule",
			"metadata":{"name":"a"},"spec":{"host":1}}`, "a.json:2: DestinationRule default/a: spec.host: want a string, but unquoted 1 is a number"},
		{"not UTF-8", "a.yaml", "kind: a\n# caf\u00e9\n# caf\xe9\n", "a.yaml:3: byte 0xe9 is not UTF-8"},
		{"UTF-16", "a.yaml", "\xff\xfek\x00", "a.yaml:1: byte 0xff is not UTF-8"},
		{"template as value", "a.yaml", "kind: a\nmetadata:\n  name: {{ .Release.Name }}\n", "a.yaml:3: a key must be a string, not a mapping; is {{ of a template that was not rendered?"},
		{"template as line", "a.yaml", "{{- if .Values.mesh }}\nkind: a\n{{- end }}\n", "a.yaml:1: not YAML: did not find expected node content; is {{ of a template that was not rendered?"},
		{"template between lines", "a.yaml", "---\nkind: a\nspec:\n  hosts:\n  {{- range .Values.hosts }}\n  - {{ . }}\n  {{- end }}\n", "a.yaml:5: not YAML: could not find expected ':'; is {{ of a template that was not rendered?"},
		{"tag", "a.yaml", "kind: a\nspec: !!binary aGVsbG8=\n", "a.yaml:2: tag !!binary is not supported"},
		{"own tag", "a.yaml", "kind: a\nspec: !secret {a: b}\n", "a.yaml:2: tag !secret is not supported"},
		{"list as key", "a.yaml", "kind: a\n? [a, b]\n: c\n", "a.yaml:2: a key must be a string, not a list"},
		{"null as key", "a.yaml", "kind: a\n~: c\n", "a.yaml:2: a key must be a string, not null"},
		{"merged text", "a.yaml", "kind: a\n<<: b\n", "a.yaml:2: << merges a mapping or a list of mappings, not a string"},
		{"merged texts", "a.yaml", "kind: a\n<<: [b]\n", "a.yaml:2: << merges a mapping or a list of mappings, not a string"},
		{"null in a list", "a.yaml", "apiVersion: v1\nkind: List\nitems:\n-\n", "a.yaml:4: List default/: items[0]: want an object, got null"},
		{"cycle", "a.yaml", "kind: a\nspec: &a\n  b: *a\n", "a.yaml:3: anchor &a contains itself"},
		{"deep", "a.yaml", "---\nkind:\n  " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "a.yaml:3: values nest deeper than 100 levels"},
		{"deep json", "a.json", strings.Repeat("[", 200) + strings.Repeat("]", 200), "a.json:1: values nest deeper than 100 levels"},
		{"big", "a.yaml", strings.Repeat("# a\n", 10<<18+1), "a.yaml:1: the file holds 10485764 bytes; the bound is 10485760 (10 MiB)"},
		{"many", "a.yaml", "[" + strings.Repeat("a,", 1_000_001) + "]", "a.yaml:1: the document holds about 1000002 values; the bound is 1000000"},
		{"many json", "a.json", "[" + strings.Repeat("1,", 1_000_001) + "1]", "a.json:1: the document holds about 1000002 values; the bound is 1000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rules.Parse(c.file, []byte(c.text))
			wantFault(t, err, c.want)
		})
	}
}

// bomb grows tenfold with each line.
func bomb(lines int, seed string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a0: &a0 [%s]\n", seed)
	for i := range lines {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String()
}

func TestDefusesAliasBombs(t *testing.T) {
	for name, text := range map[string]string{
		"many values": bomb(12, "lol"),
		"much text":   bomb(5, strings.Repeat("x", 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := rules.Parse("bomb.yaml", []byte(text))
			runtime.ReadMemStats(&after)
			wantFault(t, err, "bomb.yaml:")
			if !strings.Contains(err.Error(), "the document grows beyond 80 MiB through its aliases") {
				t.Error(err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<30 {
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
}

func TestTellsAThousandFaultsOfAFile(t *testing.T) {
	_, err := rules.Parse("a.yaml", []byte(strings.Repeat("---\n[]\n", 5_000)))
	faults := err.(rules.Faults)
	if len(faults) != 1001 || !slices.ContainsFunc(faults, func(f rules.Fault) bool {
		return f.Severity == rules.Warning && f.Message == "4000 more faults are not told"
	}) {
		t.Errorf("%d faults, the first %v", len(faults), faults[0])
	}
}

func TestManyWarningsKeepNothingOut(t *testing.T) {
	text := strings.Repeat("---\napiVersion: v1\nkind: ConfigMap\n", 2000) + "---\n" + rule("a", "{host: a}")
	set, err := rules.Parse("a.yaml", []byte(text))
	if err != nil || len(set.DestinationRules) != 1 || len(set.Warnings) < 1001 {
		t.Error(err, set)
	}
}

func TestAHundredWarningsDoNotHideAFault(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [a]\n  http:\n")
	for range 150 {
		b.WriteString("  - {route: [{destination: {host: a}, weight: 0144}]}\n")
	}
	b.WriteString("  - {routes: []}\n")
	_, err := rules.Parse("a.yaml", []byte(b.String()))
	wantFault(t, err, `a.yaml:157: VirtualService default/a: spec.http[150].routes: HTTPRoute has no field "routes"`)
}
