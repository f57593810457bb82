package rules

import (
	"regexp"
	"strings"
)

const (
	maxLabelName   = 63
	maxLabelPrefix = 253
)

var (
	labelName   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	labelPrefix = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$`)
)

// validateLabels checks Kubernetes labels: [prefix/]name: value.
func validateLabels(c *checker, path string, labels map[string]string) {
	for key, value := range sorted(labels) {
		at := entry(path, key)
		if !isLabelKey(key) {
			c.invalid(at, "key %q: want [prefix/]name, the name of 1 to %d letters, digits or inner - _ .", brief(key), maxLabelName)
		}
		if value != "" && (len(value) > maxLabelName || !labelName.MatchString(value)) {
			c.invalid(at, "value %q: want at most %d letters, digits or inner - _ .", brief(value), maxLabelName)
		}
	}
}

func isLabelKey(key string) bool {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	} else if len(prefix) > maxLabelPrefix || !labelPrefix.MatchString(prefix) {
		return false
	}
	return len(name) <= maxLabelName && labelName.MatchString(name)
}

// A selector's limits differ between the kinds that have one.
type selectorLimits struct{ labels, value int }

// validateSelector checks the labels that select workloads: they are compared
// as they are, there are no wildcards.
func validateSelector(c *checker, path string, labels map[string]string, limits selectorLimits) {
	if len(labels) == 0 {
		c.warn(path, "no labels: it selects every workload of the namespace")
	}
	if len(labels) > limits.labels {
		c.invalid(path, "%d labels: want at most %d", len(labels), limits.labels)
	}
	for key, value := range sorted(labels) {
		at := entry(path, key)
		switch {
		case key == "":
			c.invalid(at, "empty key: want the name of a label")
		case strings.Contains(key, "*") || strings.Contains(value, "*"):
			c.invalid(at, "%s=%s: wildcards are not allowed in a selector", key, value)
		case len(value) > limits.value:
			c.invalid(at, "%d bytes: want at most %d", len(value), limits.value)
		}
	}
}
