package admin

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"time"
)

// A Version is the answer of /api/version: which program this is.
type Version struct {
	Instance Instance  `json:"instance"`
	Started  time.Time `json:"started"` // when this handler was made
	Go       string    `json:"go"`      // go1.26.0
	Program  string    `json:"program,omitempty"`
	Module   string    `json:"module,omitempty"` // version of the program's module
	Inmesh   string    `json:"inmesh,omitempty"` // version of this library
	Revision string    `json:"revision,omitempty"`
}

func (a *admin) version(w http.ResponseWriter, _ *http.Request) { answer(w, a.versionNow()) }

func (a *admin) versionNow() Version {
	v := Version{Instance: a.instance(), Started: a.started, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.fill(info)
	}
	return v
}

const module = "github.com/inmesh-go/inmesh"

func (v *Version) fill(info *debug.BuildInfo) {
	v.Program, v.Module = info.Path, info.Main.Version
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			v.Inmesh = m.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
}
