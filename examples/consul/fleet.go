package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// startTime bounds the start of the cluster, and that of the services.
const startTime = 2 * time.Minute

// deployments are the services' processes. reviews has one at each server.
func deployments() []service {
	return []service{
		{name: "productpage", version: "v1"},
		{name: "details", version: "v1"},
		{name: "ratings", version: "v1"},
		{name: "reviews", version: "v1"},
		{name: "reviews", version: "v1"},
		{name: "reviews", version: "v2"},
	}
}

// An instance is a service's process that runs.
type instance struct {
	service
	process *process
	address string
}

// A fleet is the cluster, and the processes that go by it.
type fleet struct {
	dir       string
	agents    []*agent
	instances []*instance
	client    *api.Client // of the first server
	version   string      // of the rules
}

// startFleet starts all, or nothing.
func startFleet(ctx context.Context, path string, files []rules.Text, stderr io.Writer) (*fleet, error) {
	f := new(fleet)
	if err := f.start(ctx, path, files, stderr); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// start starts the cluster, pushes the rules, and starts the services.
func (f *fleet) start(ctx context.Context, path string, files []rules.Text, stderr io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*startTime)
	defer cancel()
	if f.dir, err = os.MkdirTemp("", "inmesh-consul-"); err != nil {
		return err
	}
	if err := f.startCluster(ctx, path, stderr); err != nil {
		return err
	}
	if err := f.publish(ctx, files); err != nil {
		return err
	}
	if err := f.intend(ctx, api.IntentionActionAllow); err != nil {
		return err
	}
	if err := f.startServices(ctx, stderr); err != nil {
		return err
	}
	return until(ctx, "all go by the rules", func() error { return f.inForce(ctx) })
}

func (f *fleet) startCluster(ctx context.Context, path string, stderr io.Writer) (err error) {
	if f.agents, err = newAgents(f.dir); err != nil {
		return err
	}
	var join []string
	for _, a := range f.agents {
		join = append(join, fmt.Sprintf("127.0.0.1:%d", a.serf))
	}
	for _, a := range f.agents {
		if err := a.start(path, join, stderr); err != nil {
			return err
		}
	}
	for _, a := range f.agents {
		if err := a.ready(ctx); err != nil {
			return err
		}
	}
	f.client, err = dial(f.agents[0].address)
	return err
}

// publish pushes the rules. A new cluster may have to elect another leader.
func (f *fleet) publish(ctx context.Context, files []rules.Text) error {
	return until(ctx, "the rules are published", func() error {
		plan, err := consul.Publish(ctx, f.client, prefix, files...)
		if err == nil {
			f.version = plan.Version
		}
		return err
	})
}

// startServices starts each service beside one of the servers.
func (f *fleet) startServices(ctx context.Context, stderr io.Writer) error {
	for i, s := range deployments() {
		s.agent = f.agents[i%servers].address
		p, err := begin(s.name+" "+s.version, stderr, "serve", "-service", s.name, "-version", s.version, "-agent", s.agent)
		if err != nil {
			return err
		}
		f.instances = append(f.instances, &instance{service: s, process: p})
	}
	for _, in := range f.instances {
		var err error
		if in.address, err = in.process.say(ctx); err != nil {
			return err
		}
	}
	return nil
}

// inForce is nil when every process reports that it goes by the rules.
func (f *fleet) inForce(ctx context.Context) error {
	reports, err := consul.Reports(ctx, f.client, prefix)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range reports {
		if r.Version == f.version && r.Rejected == "" {
			n++
		}
	}
	if n < len(f.instances) {
		return fmt.Errorf("%d of %d processes do", n, len(f.instances))
	}
	return nil
}

// url is that of the page.
func (f *fleet) url() string { return "http://" + f.instances[0].address + "/productpage" }

// close ends the services, then the cluster that they leave.
func (f *fleet) close() {
	var services, cluster sync.WaitGroup
	for _, in := range f.instances {
		services.Go(in.process.end)
	}
	services.Wait()
	for _, a := range f.agents {
		if a.process != nil {
			cluster.Go(a.process.end)
		}
	}
	cluster.Wait()
	_ = os.RemoveAll(f.dir) // of the system's temporary files
}
