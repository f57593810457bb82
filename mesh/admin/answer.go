package admin

import (
	"encoding/json"
	"io"
	"net/http"
)

// answer writes v as JSON that people can read.
func answer(w http.ResponseWriter, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, "application/json", string(text)+"\n")
}

func write(w http.ResponseWriter, kind, text string) {
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, text)
}

// A Problem is the answer to a request that cannot be understood (400).
type Problem struct {
	Error string `json:"error"` // which parameter, its value and its bound
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(Problem{err.Error()})
}
