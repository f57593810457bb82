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
	all := a.mesh.Clusters()
	for i := range all {
		all[i].Trouble = mask.Text(all[i].Trouble)
	}
	return all
}
