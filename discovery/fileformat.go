package discovery

import (
	"errors"
	"fmt"
)

// parseFile reads the content of a File. All faults are reported, each with
// its line.
func parseFile(text []byte) (map[string][]Endpoint, error) {
	d := &fileDecoder{strictJSON{text: text}}
	services := d.document()
	if err := errors.Join(d.faults...); err != nil {
		return nil, err
	}
	return services, nil
}

type fileDecoder struct{ strictJSON }

func (d *fileDecoder) document() map[string][]Endpoint {
	root, ok := d.strictJSON.document()
	if !ok {
		return nil
	}
	var services map[string][]Endpoint
	d.object(root, "file", func(name string, v jsonValue) bool {
		if name == "services" {
			services = d.services(v)
		}
		return name == "services"
	})
	if services == nil {
		d.fault(root.at, `file: want a "services" object`)
	}
	return services
}

func (d *fileDecoder) services(v jsonValue) map[string][]Endpoint {
	services := make(map[string][]Endpoint)
	d.object(v, "services", func(name string, v jsonValue) bool {
		services[name] = d.service(fmt.Sprintf("service %q", name), v)
		d.check(v.at, checkService(name, services[name]))
		return true
	})
	return services
}

func (d *fileDecoder) service(what string, v jsonValue) []Endpoint {
	endpoints := []Endpoint{}
	d.array(v, what, func(i int, v jsonValue) {
		endpoints = append(endpoints, d.endpoint(fmt.Sprintf("%s: endpoint %d", what, i), v))
	})
	return endpoints
}

func (d *fileDecoder) endpoint(what string, v jsonValue) (e Endpoint) {
	d.object(v, what, func(name string, v jsonValue) bool {
		return d.field(&e, what+": "+name, name, v)
	})
	return e
}

func (d *fileDecoder) field(e *Endpoint, what, name string, v jsonValue) bool {
	switch name {
	case "address":
		return d.scalar(v, what, &e.Address)
	case "labels":
		e.Labels = d.labels(what, v)
		return true
	case "locality":
		return parsed(d, v, what, ParseLocality, &e.Locality)
	case "weight":
		return d.scalar(v, what, &e.Weight)
	case "health":
		return parsed(d, v, what, ParseHealth, &e.Health)
	case "identity":
		return d.scalar(v, what, &e.Identity)
	}
	return false
}

func (d *fileDecoder) labels(what string, v jsonValue) map[string]string {
	labels := make(map[string]string)
	d.object(v, what, func(name string, v jsonValue) bool {
		var value string
		d.scalar(v, what+": "+name, &value)
		labels[name] = value
		return true
	})
	return labels
}

func parsed[T any](d *fileDecoder, v jsonValue, what string, parse func(string) (T, error), into *T) bool {
	var text string
	d.scalar(v, what, &text)
	value, err := parse(text)
	d.check(v.at, err)
	*into = value
	return true
}

func (d *fileDecoder) check(at int, err error) {
	if err != nil {
		d.fault(at, "%w", err)
	}
}
