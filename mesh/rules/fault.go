package rules

import (
	"fmt"
	"strings"
)

// Severity says what a Fault does to the object that it was found in.
type Severity uint8

const (
	// Warning: the object is in force; what the message names has no effect or
	// probably not the one that was meant.
	Warning Severity = iota
	// Refused: Istio accepts the object, inmesh cannot enforce it, and dropping
	// the field would send traffic elsewhere or remove a protection.
	Refused
	// Invalid: Istio rejects the object too.
	Invalid
)

// String returns "warning", "refused" or "invalid".
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Refused:
		return "refused"
	}
	return "invalid"
}

// MarshalText makes the severity a word in JSON too.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(text []byte) error {
	for _, known := range []Severity{Warning, Refused, Invalid} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("severity %.20q: want warning, refused or invalid", text)
}

// A Fault is one thing wrong with a rule file.
type Fault struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"` // 1-based; 0 when unknown
	// Kind, Namespace and Name are empty for a fault of the file itself.
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Field is the path of the field: spec.http[0].route[1].weight.
	Field string `json:"field,omitempty"`
	// Message says what is wrong, with the value and the bound.
	Message string `json:"message"`
}

// String is the one line that tools print:
//
//	file:line: Kind namespace/name: field: message
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" && f.Line > 0 {
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	} else if f.File != "" {
		b.WriteString(f.File + ": ")
	}
	if f.Kind != "" {
		fmt.Fprintf(&b, "%s %s/%s: ", f.Kind, f.Namespace, f.Name)
	}
	if f.Field != "" {
		b.WriteString(f.Field + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults are all that is wrong with a set of files. As an error it stands for
// those that keep the set from being used: see Err.
type Faults []Fault

// Error lists the faults that are not warnings, one a line; where there are only
// warnings, those, for who prints Status or RulesInfo.
func (fs Faults) Error() string {
	least := min(fs.Worst(), Refused)
	var lines []string
	for _, f := range fs {
		if f.Severity >= least {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}

// Worst is the highest severity among the faults; Warning for none.
func (fs Faults) Worst() Severity {
	worst := Warning
	for _, f := range fs {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Err is nil if the faults are warnings only, else the faults.
func (fs Faults) Err() error {
	if fs.Worst() == Warning {
		return nil
	}
	return fs
}
