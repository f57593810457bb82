package rules

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// plainFloat is YAML 1.1's float, without base 60.
var plainFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// plain reads an unquoted scalar as Istio's YAML reader (sigs.k8s.io/yaml) does,
// that is by YAML 1.1: yes, no, on, off, y and n are booleans, 010 is eight.
func plain(s string, line int) node {
	n := node{line: line, text: s}
	if n.shape, n.json = word(s); n.shape != text {
		return n
	}
	if js, ok := numeral(s); ok {
		n.shape, n.json = number, js
	}
	return n
}

func word(s string) (shape, string) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return null, "null"
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE":
		return boolean, "true"
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE":
		return boolean, "false"
	}
	return text, ""
}

// numeral is the JSON of a YAML 1.1 number. JSON has no word for infinity and
// for what is not a number: they keep the text, which no field accepts.
func numeral(s string) (js string, ok bool) {
	switch s {
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN":
		return s, true
	}
	if !strings.ContainsRune("0123456789+-.", rune(s[0])) {
		return "", false
	}
	digits := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return strconv.FormatInt(i, 10), true
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return strconv.FormatUint(u, 10), true
	}
	return decimal(digits)
}

func decimal(s string) (js string, ok bool) {
	if !plainFloat.MatchString(s) {
		return "", false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return "", false
	}
	b, err := json.Marshal(f)
	return string(b), err == nil
}

// literal says that a plain scalar reads the same to a person, to YAML 1.1 and
// to JSON: 10 does, 010 and 1e3 do not.
func (n *node) literal() bool { return n.text == n.json }
