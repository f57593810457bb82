package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Rules is the answer of /api/rules: the rules in force, and what is wrong with
// them or with newer ones.
type Rules struct {
	Version  string       `json:"version"` // changes with the content
	Since    time.Time    `json:"since"`   // when it came into force
	Objects  []Object     `json:"objects"`
	Warnings rules.Faults `json:"warnings"`
	// Rejected is how often newer rules were not put in force; Error and Faults say
	// why the newest were not, and are empty if they were.
	Rejected int          `json:"rejected"`
	Error    string       `json:"error,omitempty"`
	Faults   rules.Faults `json:"faults,omitempty"`
}

// An Object is one rule.
type Object struct {
	Kind        string            `json:"kind"`
	APIVersion  string            `json:"apiVersion"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	File        string            `json:"file,omitempty"`
	Line        int               `json:"line,omitempty"`
	Created     time.Time         `json:"created,omitzero"`
	Spec        json.RawMessage   `json:"spec"` // secrets masked
}

func (a *admin) rules(w http.ResponseWriter, _ *http.Request) {
	answer(w, a.rulesNow())
}

func (a *admin) rulesNow() Rules {
	status := a.mesh.Status().Rules
	out := Rules{
		Version: status.Version, Since: status.Since, Objects: []Object{}, Rejected: status.Rejected,
		Warnings: append(rules.Faults{}, status.Warnings...),
	}
	if status.Err != nil {
		out.Error = status.Err.Error()
		errors.As(status.Err, &out.Faults)
	}
	for meta, spec := range a.mesh.Rules().All() {
		out.Objects = append(out.Objects, objectOf(meta, spec))
	}
	return out
}

func objectOf(m *rules.Meta, spec any) Object {
	text, err := json.Marshal(spec)
	if err != nil {
		text, _ = json.Marshal(err.Error())
	}
	return Object{
		Kind: m.Kind, APIVersion: m.APIVersion, Namespace: m.Namespace, Name: m.Name, Labels: m.Labels,
		Annotations: m.Annotations, File: m.File, Line: m.Line, Created: m.Created, Spec: text,
	}
}
