// Package programs builds the real programs that a lab runs, from Go modules
// that pin them, once for each version, into a cache outside the tree.
package programs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Program is one program that can be built.
type Program struct {
	Name    string
	Pin     string        // folder under hack/ whose go.mod pins it
	Module  string        // the module whose version counts
	Package string        // the main package
	Tags    string        // build tags; programs of one pin share them
	Cold    time.Duration // from an empty Go build cache, on two cores, after those above it
	Default bool          // part of every lab
	Data    []DataFile    // files of its module that are kept beside it
	Stamp   string        // the variable that takes the version at link time
}

// DataFile is a file or folder that a module carries.
type DataFile struct {
	Name string
	From []string // paths in the module; files are joined into one, a folder is copied
}

// all in the order in which they are shown. Each time was measured in this order,
// so that what several programs share counts for the first; hack/README.md has
// them too.
var all = []Program{
	{Name: "etcd", Pin: "tools", Module: "go.etcd.io/etcd/server/v3", Package: "go.etcd.io/etcd/server/v3", Cold: 49 * time.Second, Default: true},
	{Name: "kube-apiserver", Pin: "tools", Module: kubernetes, Package: kubernetes + "/cmd/kube-apiserver", Cold: 255 * time.Second, Default: true},
	{Name: "kube-controller-manager", Pin: "tools", Module: kubernetes, Package: kubernetes + "/cmd/kube-controller-manager", Cold: 56 * time.Second, Default: true},
	{Name: "kube-scheduler", Pin: "tools", Module: kubernetes, Package: kubernetes + "/cmd/kube-scheduler", Cold: 5 * time.Second, Default: true},
	{Name: "kubectl", Pin: "tools", Module: kubernetes, Package: kubernetes + "/cmd/kubectl", Cold: 31 * time.Second, Default: true},
	{Name: "kwok", Pin: "tools", Module: "sigs.k8s.io/kwok", Package: "sigs.k8s.io/kwok/cmd/kwok", Cold: 13 * time.Second, Default: true, Data: []DataFile{{
		Name: "stages.yaml",
		From: []string{
			"kustomize/stage/node/fast/node-initialize.yaml",
			"kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
			"kustomize/stage/pod/fast/pod-ready.yaml",
			"kustomize/stage/pod/fast/pod-complete.yaml",
			"kustomize/stage/pod/fast/pod-delete.yaml",
			"kustomize/stage/pod/chaos/pod-container-running-failed.yaml",
			"kustomize/stage/volume/fast/pv-bind.yaml",
			"kustomize/stage/volume/fast/pv-delete.yaml",
			"kustomize/stage/volume/fast/pvc-delete.yaml",
			"kustomize/stage/volume/fast/pvc-provision.yaml",
		},
	}}},
	{Name: "kustomize", Pin: "tools", Module: "sigs.k8s.io/kustomize/kustomize/v5", Package: "sigs.k8s.io/kustomize/kustomize/v5", Cold: 3 * time.Second},
	{Name: "helm", Pin: "tools", Module: "helm.sh/helm/v4", Package: "helm.sh/helm/v4/cmd/helm", Cold: 21 * time.Second},
	{Name: "gitea", Pin: "gitea", Module: "code.gitea.io/gitea", Package: "code.gitea.io/gitea", Tags: "sqlite sqlite_unlock_notify", Cold: 215 * time.Second, Stamp: "main.Version", Data: []DataFile{
		{Name: "static/options", From: []string{"options"}},
		{Name: "static/templates", From: []string{"templates"}},
		{Name: "static/public", From: []string{"public"}},
	}},
	{Name: "sops", Pin: "sops", Module: "github.com/getsops/sops/v3", Package: "github.com/getsops/sops/v3/cmd/sops", Cold: 155 * time.Second},
	{Name: "age", Pin: "sops", Module: "filippo.io/age", Package: "filippo.io/age/cmd/age", Cold: 2 * time.Second},
	{Name: "age-keygen", Pin: "sops", Module: "filippo.io/age", Package: "filippo.io/age/cmd/age-keygen", Cold: 1 * time.Second},
}

const kubernetes = "k8s.io/kubernetes"

// Default is the group that every lab needs.
func Default() []Program {
	var group []Program
	for _, program := range all {
		if program.Default {
			group = append(group, program)
		}
	}
	return group
}

// All lists every program that can be built.
func All() []Program { return all }

// Find returns the programs of these names.
func Find(names []string) ([]Program, error) {
	var found []Program
	for _, name := range names {
		at := slices.IndexFunc(all, func(p Program) bool { return p.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("no program %q can be built; there are: %s", name, strings.Join(namesOf(all), " "))
		}
		found = append(found, all[at])
	}
	return found, nil
}

func namesOf(programs []Program) []string {
	var names []string
	for _, program := range programs {
		names = append(names, program.Name)
	}
	return names
}
