package admin

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/mask"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// named are the fields whose members people name, by headers and parameters: what
// stands under such a name may be a secret.
func named(field string) bool {
	switch field {
	case "headers", "withoutHeaders", "queryParams", "set", "add", "annotations", "labels":
		return true
	}
	return false
}

// A masker takes the secrets out of rules, and remembers them, for what is told of
// rules elsewhere repeats them.
type masker struct {
	found map[string]bool
	cut   *strings.Replacer // takes all that was found out of a text; nil: to be made
}

func newMasker() *masker { return &masker{found: map[string]bool{}} }

// spec is a spec in JSON, without its secrets, and without members that are null.
func (m *masker) spec(spec any) json.RawMessage {
	out, _ := json.Marshal(m.value("", tree(spec)))
	return out
}

// tree is what v is in JSON; of what has none, why.
func tree(v any) (out any) {
	text, err := json.Marshal(v)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		err = dec.Decode(&out)
	}
	if err != nil {
		return err.Error()
	}
	return out
}

// texts masks labels and annotations.
func (m *masker) texts(of map[string]string) map[string]string {
	out := make(map[string]string, len(of))
	for name, value := range of {
		switch {
		case mask.Secret(name) || name == lastApplied:
			out[name] = m.hide(value)
		default:
			out[name] = m.text(value)
		}
	}
	return out
}

// value masks what stands in the field of a name.
func (m *masker) value(field string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return m.object(field, v)
	case []any:
		for i := range v {
			v[i] = m.value(field, v[i])
		}
	case string:
		if field == "jwks" || field == lastApplied {
			return m.hide(v) // symmetric keys may be in the one, all of this in the other
		}
		return m.text(v)
	}
	return v
}

// lastApplied is where kubectl keeps a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func (m *masker) object(field string, v map[string]any) any {
	for name, member := range v {
		switch {
		case member == nil:
			delete(v, name)
		case named(field) && mask.Secret(name), isCondition(v) && (name == "values" || name == "notValues"):
			v[name] = m.all(member)
		default:
			v[name] = m.value(name, member)
		}
	}
	return v
}

// isCondition says that this is a condition of an AuthorizationPolicy on a header
// whose values are secrets.
func isCondition(v map[string]any) bool {
	key, _ := v["key"].(string)
	header, ok := strings.CutPrefix(key, "request.headers[")
	return ok && mask.Secret(strings.TrimSuffix(header, "]"))
}

// all hides every text in v.
func (m *masker) all(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = m.all(member)
		}
	case []any:
		for i := range v {
			v[i] = m.all(v[i])
		}
	case string:
		return m.hide(v)
	}
	return v
}

func (m *masker) hide(secret string) string {
	if len(secret) >= shortest && !m.found[secret] {
		text := strconv.Quote(secret) // as messages have it
		m.found[secret], m.found[text[1:len(text)-1]], m.cut = true, true, nil
	}
	return mask.Hidden
}

// shortest is how long a secret is that is looked for elsewhere: to replace each
// "a" would leave nothing legible.
const shortest = 4

func (m *masker) text(s string) string {
	masked := mask.Text(s)
	if masked != s {
		m.hide(s)
	}
	return masked
}

// elsewhere takes what was found out of another text.
func (m *masker) elsewhere(s string) string {
	if m.cut == nil {
		m.cut = replacer(m.found)
	}
	return mask.Text(m.cut.Replace(s))
}

// replacer tries the longest first: one secret may be how another begins.
func replacer(found map[string]bool) *strings.Replacer {
	var pairs []string
	for _, secret := range slices.SortedFunc(maps.Keys(found), func(a, b string) int { return len(b) - len(a) }) {
		pairs = append(pairs, secret, mask.Hidden)
	}
	return strings.NewReplacer(pairs...)
}

// everywhere is v in JSON, without what was found in any of its texts.
func (m *masker) everywhere(v any) any { return m.within(tree(v)) }

func (m *masker) within(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = m.within(member)
		}
	case []any:
		for i := range v {
			v[i] = m.within(v[i])
		}
	case string:
		return m.elsewhere(v)
	}
	return v
}

// faults are those, without secrets. Rules that were not put in force are not at
// hand: what a fault quotes of a field that is called like a secret is hidden.
func (m *masker) faults(all rules.Faults) rules.Faults {
	out := slices.Clone(all)
	for i := range out {
		f := &out[i]
		f.Message = m.elsewhere(f.Message)
		if mask.Secret(f.Field) || mask.Secret(f.Message) {
			f.Message = quoted.ReplaceAllString(f.Message, `"`+mask.Hidden+`"`)
		}
	}
	return out
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
