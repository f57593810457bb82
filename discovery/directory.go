package discovery

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A directory is all that an in-memory source knows, as an immutable value.
type directory struct {
	services map[string][]Endpoint // nil before the first good content
	news     *answer               // why services may be out of date
}

// about is what the directory says of a service: the most specific alias wins.
func (d directory) about(s Service) view {
	if d.services == nil {
		return view{news: d.news}
	}
	for _, name := range s.Aliases() {
		if endpoints, ok := d.services[name]; ok {
			return view{settled: &answer{endpoints: endpoints}, news: d.news}
		}
	}
	return view{settled: &answer{err: unknown(s.Host)}, news: d.news}
}

func unknown(host string) error { return fmt.Errorf("%w %q", ErrUnknown, host) }

// checkServices reports all that is wrong with a directory's content.
func checkServices(services map[string][]Endpoint) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(services)) {
		faults = append(faults, checkService(name, services[name]))
	}
	return errors.Join(faults...)
}

func checkService(name string, endpoints []Endpoint) error {
	if strings.HasSuffix(name, ".") || !isName(name) {
		return fmt.Errorf("service %q: want a host name in lower case without a trailing dot", name)
	}
	if err := Validate(endpoints); err != nil {
		return fmt.Errorf("service %q: %w", name, err)
	}
	return nil
}
