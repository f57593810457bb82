package admin

import (
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

// Destinations is the answer of /api/destinations: where this process has sent
// requests so far.
type Destinations struct {
	At           time.Time            `json:"at"`
	Destinations []mesh.ClusterStatus `json:"destinations"`
}

func (a *admin) destinations(w http.ResponseWriter, _ *http.Request) {
	answer(w, Destinations{time.Now(), a.destinationsNow()})
}

func (a *admin) destinationsNow() []mesh.ClusterStatus {
	all, secrets := a.mesh.Clusters(), newMasker()
	for i := range all {
		all[i].Trouble = mask.Text(all[i].Trouble)
		all[i].Labels = secrets.texts(all[i].Labels)
		secrets.endpoints(all[i].Endpoints)
	}
	return all
}

// endpoints masks what discovery tells of them.
func (m *masker) endpoints(all []mesh.EndpointStatus) {
	for i := range all {
		all[i].Labels = m.texts(all[i].Labels)
	}
}
