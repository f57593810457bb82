package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh"
)

// The services. Each gets the client that goes through its own mesh, and calls
// the others by their bare names: which server answers, how long to wait and
// what to do about failures is for the rules to say.

type detailsAnswer struct {
	Title, Author string
	Year          int
}

type reviewsAnswer struct {
	Version string
	Reviews []review
}

type review struct{ Reviewer, Text, Stars, Color string }

type ratingsAnswer struct{ Ratings []int }

// UserHeader says who reads; it is handed on from hop to hop, so that rules can
// match on it.
const UserHeader = "End-User"

// VersionHeader tells a reader whose reviews are on a page.
const VersionHeader = "Reviews-Version"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<title>{{.Details.Title}}</title>
<h1>{{.Details.Title}}</h1>
<p>{{.Details.Author}}, {{.Details.Year}}</p>
<h2>Reviews, by reviews {{.Reviews.Version}}</h2>
{{range .Reviews.Reviews}}<blockquote>{{.Text}} <b style="color:{{.Color}}">{{.Stars}}</b><br>{{.Reviewer}}</blockquote>
{{end}}`))

// productpage puts a page together. It cannot do without either part.
func productpage(client *http.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var parts struct {
			Details detailsAnswer
			Reviews reviewsAnswer
		}
		err := get(client, r, "http://details/details/0", &parts.Details)
		if err == nil {
			err = get(client, r, "http://reviews/reviews/0", &parts.Reviews)
		}
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.Header().Set(VersionHeader, parts.Reviews.Version)
		_ = page.Execute(w, parts) // fails only if the reader has gone
	})
}

// details answers 503 to every fortieth request; the retries in details.yaml
// are for that.
func details(*http.Client) http.Handler {
	var served atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1)%40 == 0 {
			http.Error(w, "being rolled out", http.StatusServiceUnavailable)
			return
		}
		answer(w, detailsAnswer{"The Comedy of Errors", "William Shakespeare", 1595})
	})
}

// reviews is one version: v1 shows no stars, v2 black ones, v3 red ones. Without
// ratings it does without stars.
func reviews(version, color string) func(*http.Client) http.Handler {
	return func(client *http.Client) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := reviewsAnswer{version, []review{
				{Reviewer: "Reviewer1", Text: "An extremely entertaining play."},
				{Reviewer: "Reviewer2", Text: "Absolutely fun and entertaining."},
			}}
			if color != "" {
				addStars(&out, color, client, r)
			}
			answer(w, out)
		})
	}
}

func addStars(out *reviewsAnswer, color string, client *http.Client, r *http.Request) {
	var rated ratingsAnswer
	if err := get(client, r, "http://ratings/ratings/0", &rated); err != nil {
		return
	}
	for i, n := range rated.Ratings[:min(len(rated.Ratings), len(out.Reviews))] {
		out.Reviews[i].Color = color
		out.Reviews[i].Stars = "★★★★★"[:n*len("★")]
	}
}

func ratings(*http.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, ratingsAnswer{[]int{5, 4}})
	})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // fails only if the caller has gone
}

// get calls another service on behalf of the request in, whose deadline it
// inherits.
func get(client *http.Client, in *http.Request, url string, into any) error {
	out, err := http.NewRequestWithContext(in.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if user := in.Header.Get(UserHeader); user != "" {
		out.Header.Set(UserHeader, user)
	}
	resp, err := client.Do(out)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// statusOf is what a reader is told: what the mesh itself refused carries the
// status that a sidecar would have answered with.
func statusOf(err error) int {
	var refused *mesh.Error
	switch {
	case errors.As(err, &refused):
		return refused.HTTPStatus()
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
