// Package cluster runs a real Kubernetes control plane with fake nodes.
package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"tandemcd.io/hack/lab/stack"
)

// Kind is the name of this kind of stack.
const Kind = "cluster"

// Options of a cluster, as they stand in a Spec.
const (
	OptionBin     = "bin"     // folder of the programs
	OptionStages  = "stages"  // the file that teaches kwok how Pods and Nodes live
	OptionNodes   = "nodes"   // how many
	OptionWithout = "without" // programs left out, separated by commas
)

// Optional programs; without etcd and the API server there is no cluster.
var Optional = []string{controllerManager, scheduler, kwok}

const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
)

// plane is a control plane while it starts.
type plane struct {
	run     *stack.Run
	bin     string
	nodes   int
	without map[string]bool
	files   files
	ports   ports
	api     *api
}

type ports struct{ etcd, peer, api, manager, scheduler, kwok int }

// Start brings up a cluster and returns when a Pod could run on it.
func Start(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	p := &plane{run: run, bin: run.Options[OptionBin], without: map[string]bool{}}
	for name := range strings.SplitSeq(run.Options[OptionWithout], ",") {
		p.without[name] = true
	}
	nodes, err := strconv.Atoi(run.Options[OptionNodes])
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	p.nodes = nodes
	for _, port := range []*int{&p.ports.etcd, &p.ports.peer, &p.ports.api, &p.ports.manager, &p.ports.scheduler, &p.ports.kwok} {
		if *port, err = run.Ports.Reserve(); err != nil {
			return nil, err
		}
	}
	// Two directions that need nothing of each other.
	if err := together(
		func() error { return run.StartAndAwait(ctx, p.etcd()) },
		func() error { return p.writeFiles() },
	); err != nil {
		return nil, err
	}
	if p.api, err = newAPI(p.server(), p.files.authority, p.files.tokens[admin]); err != nil {
		return nil, err
	}
	if err := p.startPrograms(ctx); err != nil {
		return nil, err
	}
	if err := p.populate(ctx); err != nil {
		return nil, err
	}
	return p.facts(), nil
}

// startPrograms starts the rest as soon as the API server answers at all: it
// needs a second more to create its own roles, and they need a second to load.
func (p *plane) startPrograms(ctx context.Context) error {
	if err := p.run.Start(p.apiServer()); err != nil {
		return err
	}
	if err := p.run.AwaitUntil(ctx, apiServer, p.api.serves); err != nil {
		return err
	}
	waits := []func() error{func() error { return p.run.Await(ctx, apiServer) }}
	for _, program := range []stack.Program{p.controllerManager(), p.scheduler(), p.kwok()} {
		if p.without[program.Name] {
			continue
		}
		if err := p.run.Start(program); err != nil {
			return err
		}
		waits = append(waits, func() error { return p.run.Await(ctx, program.Name) })
	}
	if !p.without[kwok] {
		waits = append(waits, func() error { return p.createNodes(ctx) })
	}
	return together(waits...)
}

func (p *plane) server() string { return "https://127.0.0.1:" + strconv.Itoa(p.ports.api) }

func (p *plane) facts() stack.Facts {
	return stack.Facts{
		"KUBECONFIG":           p.files.kubeconfigs[admin],
		"TANDEM_LAB":           p.run.Name,
		"TANDEM_LAB_DIR":       p.run.Dir,
		"TANDEM_LAB_BIN":       p.bin,
		"TANDEM_LAB_SERVER":    p.server(),
		"TANDEM_LAB_CA":        p.files.authority,
		"TANDEM_LAB_TOKEN":     p.files.tokens[admin],
		"TANDEM_LAB_AUDIT_LOG": p.files.audit,
		"TANDEM_LAB_ETCD":      "http://127.0.0.1:" + strconv.Itoa(p.ports.etcd),
	}
}

func (p *plane) program(name string) string { return filepath.Join(p.bin, name) }

// together runs the steps side by side and returns the first error when all
// have ended.
func together(steps ...func() error) error {
	var all sync.WaitGroup
	failures := make(chan error, len(steps))
	for _, step := range steps {
		all.Go(func() {
			if err := step(); err != nil {
				failures <- err
			}
		})
	}
	all.Wait()
	close(failures)
	return <-failures
}
