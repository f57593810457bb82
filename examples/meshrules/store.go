package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// agentTime bounds what a command does with Consul.
const agentTime = 30 * time.Second

// A store is where in Consul the rules stand.
type store struct {
	agent  string // "": the environment says
	prefix string
}

func (s *store) flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&s.agent, "agent", "", "")
	fs.StringVar(&s.prefix, "prefix", "inmesh", "")
	return fs
}

// client keeps no connections, since a command asks two or three times.
func (s *store) client() (*api.Client, error) {
	c := api.DefaultNonPooledConfig()
	c.Address = cmp.Or(s.agent, c.Address)
	return api.NewClient(c)
}

// ask calls with a client, within bounds. Its errors are Consul's.
func (s *store) ask(ctx context.Context, call func(context.Context, *api.Client) error) (int, error) {
	if strings.Trim(s.prefix, "/") == "" {
		return exitUsage, fmt.Errorf("-prefix %q: want a folder of KV, such as inmesh", s.prefix)
	}
	client, err := s.client()
	if err != nil {
		return exitUsage, err
	}
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	if err := call(ctx, client); err != nil {
		return exitConsul, err
	}
	return exitValid, nil
}
