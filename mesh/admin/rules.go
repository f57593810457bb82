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
	status, secrets := a.mesh.Status().Rules, newMasker()
	out := Rules{Version: status.Version, Since: status.Since, Objects: []Object{}, Rejected: status.Rejected}
	for meta, spec := range a.mesh.Rules().All() {
		out.Objects = append(out.Objects, objectOf(secrets, meta, spec))
	}
	out.Warnings = listed(secrets.faults(status.Warnings))
	if status.Err != nil {
		out.Error, out.Faults = secrets.rejection(status.Err)
	}
	answer(w, out)
}

func objectOf(secrets *masker, m *rules.Meta, spec any) Object {
	return Object{
		Kind: m.Kind, APIVersion: m.APIVersion, Namespace: m.Namespace, Name: m.Name, Labels: secrets.texts(m.Labels),
		Annotations: secrets.texts(m.Annotations), File: m.File, Line: m.Line, Created: m.Created,
		Spec: secrets.spec(spec),
	}
}

// rejection is why rules were not put in force.
func (m *masker) rejection(err error) (text string, faults rules.Faults) {
	if !errors.As(err, &faults) {
		return m.elsewhere(err.Error()), nil
	}
	faults = m.faults(faults)
	return faults.Error(), faults
}
