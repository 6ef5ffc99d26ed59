package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandemcd.io/hack/lab/cluster"
	"tandemcd.io/hack/lab/programs"
	"tandemcd.io/hack/lab/stack"
)

const upHelp = `
hack/lab up [--name NAME] [--nodes N] [--owner-pid PID] [--without PROGRAM,…]

Builds the programs that are missing, starts a cluster and returns when a Pod
could run on it: etcd, kube-apiserver (RBAC, audit log of every request),
kube-controller-manager, kube-scheduler, and kwok, which plays the nodes. Where
a cluster of this name runs already, nothing happens.

On the nodes Pods become ready at once, Pods of Jobs complete, claims of the
default StorageClass are bound. A Pod with the label
pod-container-running-failed.stage.kwok.x-k8s.io=true fails after a second.`

func up(ctx context.Context, arguments []string) error {
	f := newFlags("up", upHelp)
	name, owner, output := f.name(), f.owner(), f.output("json prints what env -o json does")
	nodes := f.Int("nodes", 3, "how many fake nodes")
	var without words
	f.Var(&without, "without", "leave out `PROGRAM`s: "+strings.Join(cluster.Optional, ", "))
	var extra lines
	f.Var(&extra, "apiserver-flag", "one more `FLAG` for kube-apiserver, such as --max-requests-inflight=5; may be given again")
	if _, err := f.parse(arguments, 0, 0); err != nil {
		return err
	}
	if err := stack.CheckName(*name); err != nil {
		return &usageError{err.Error()}
	}
	if err := checkOutput(*output, "", "json"); err != nil {
		return err
	}
	if *nodes < 0 {
		return &usageError{"--nodes is negative"}
	}
	left, err := leftOut(without)
	if err != nil {
		return err
	}
	id, err := ownerID(*owner)
	if err != nil {
		return err
	}
	options, err := buildCluster(ctx, left)
	if err != nil {
		return err
	}
	options[cluster.OptionNodes] = strconv.Itoa(*nodes)
	options[cluster.OptionWithout] = strings.Join(left, ",")
	running, err := launch(ctx, stack.Spec{
		Name: *name, Kind: cluster.Kind, Owner: id, Created: time.Now(), Options: options, Extra: extra,
	})
	if err != nil {
		return err
	}
	if *output == "json" {
		return printJSON(running.Facts)
	}
	fmt.Printf("KUBECONFIG=%s\n", running.Facts["KUBECONFIG"])
	suffix := ""
	if *name != defaultName {
		suffix = " --name " + *name
	}
	fmt.Fprintf(os.Stderr, "use it:  eval \"$(hack/lab env%s)\"\nstop it: hack/lab down%s\n", suffix, suffix)
	return nil
}

// leftOut checks the names of --without; the leading kube- may be missing.
func leftOut(without []string) ([]string, error) {
	var left []string
	for _, name := range without {
		at := slices.IndexFunc(cluster.Optional, func(known string) bool {
			return name == known || "kube-"+name == known
		})
		if at < 0 {
			return nil, &usageError{fmt.Sprintf("--without %q: only %s can be left out", name, strings.Join(cluster.Optional, ", "))}
		}
		left = append(left, cluster.Optional[at])
	}
	return left, nil
}

// buildCluster builds the programs and returns the options that name them.
func buildCluster(ctx context.Context, left []string) (map[string]string, error) {
	cache, err := openCache(ctx)
	if err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(programs.Default(), func(p programs.Program) bool {
		return slices.Contains(left, p.Name)
	})
	bin, err := cache.Ensure(ctx, wanted, os.Stderr)
	if err != nil {
		return nil, err
	}
	options := map[string]string{cluster.OptionBin: bin}
	kwok, err := programs.Find([]string{"kwok"})
	if err != nil {
		return nil, err
	}
	options[cluster.OptionStages], err = cache.Path(kwok[0], "stages.yaml")
	return options, err
}

// launch starts a stack and prints a line for each step.
func launch(ctx context.Context, spec stack.Spec) (stack.Status, error) {
	running, fresh, err := stack.Launch(ctx, spec, func(e stack.Event) {
		fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", e.Took.Seconds(), e.Step)
	})
	if err != nil {
		return running, err
	}
	if running.Kind != spec.Kind {
		return running, fmt.Errorf("the name %s is taken by a %s", spec.Name, running.Kind)
	}
	if !fresh {
		fmt.Fprintf(os.Stderr, "%s is running already\n", spec.Name)
	}
	return running, nil
}
