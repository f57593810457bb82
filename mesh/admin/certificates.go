package admin

import (
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/mask"
)

// Certificates is the answer of /api/certificates. No key is in it.
type Certificates struct {
	At time.Time `json:"at"` // by this process's clock, for who asks whether they are in time
	mesh.Certificates
}

func (a *admin) certificates(w http.ResponseWriter, _ *http.Request) {
	answer(w, a.certificatesNow())
}

func (a *admin) certificatesNow() Certificates {
	out := Certificates{time.Now(), a.mesh.Certificates()}
	out.Trouble = mask.Text(out.Trouble)
	return out
}
