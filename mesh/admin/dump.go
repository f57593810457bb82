package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Dump is the answer of /api/config: all that this process goes by.
type Dump struct {
	At           time.Time            `json:"at"`
	Version      Version              `json:"version"`
	Settings     mesh.Settings        `json:"settings"`
	RulesVersion string               `json:"rulesVersion"`
	Rules        []Manifest           `json:"rules"`
	Certificates Certificates         `json:"certificates"`
	Destinations []mesh.ClusterStatus `json:"destinations"`
}

// A Manifest is a rule as a file would hold it: what has no secrets masked is read
// as the same rule again.
type Manifest struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       json.RawMessage `json:"spec"`
}

// Metadata is what a Manifest carries besides its spec.
type Metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Created     time.Time         `json:"creationTimestamp,omitzero"`
}

func (a *admin) dump(w http.ResponseWriter, _ *http.Request) {
	set, secrets := a.mesh.Rules(), newMasker()
	d := Dump{
		At: time.Now(), Version: a.versionNow(), Settings: a.mesh.Settings(), RulesVersion: set.Version, Rules: []Manifest{},
		Certificates: a.certificatesNow(),
	}
	d.Settings.Labels = secrets.texts(d.Settings.Labels)
	for meta, spec := range set.All() {
		d.Rules = append(d.Rules, manifestOf(secrets, meta, spec))
	}
	d.Destinations = a.destinationsNow()
	answer(w, d)
}

func manifestOf(secrets *masker, m *rules.Meta, spec any) Manifest {
	return Manifest{
		APIVersion: m.APIVersion, Kind: m.Kind, Spec: secrets.spec(spec),
		Metadata: Metadata{m.Name, m.Namespace, secrets.texts(m.Labels), secrets.texts(m.Annotations), m.Created},
	}
}
