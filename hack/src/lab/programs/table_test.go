package programs

import (
	"strings"
	"testing"
)

func TestEveryProgramIsPinned(t *testing.T) {
	t.Setenv("TANDEM_CACHE", t.TempDir())
	cache, err := Open(t.Context(), "../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range all {
		if _, err := cache.Version(program); err != nil {
			t.Errorf("%s: %v", program.Name, err)
		}
		if !strings.Contains(cache.pins[program.Pin], "\t"+program.Package+"\n") && !strings.Contains(cache.pins[program.Pin], "tool "+program.Package+"\n") {
			t.Errorf("%s: hack/%s/go.mod has no tool line for %s", program.Name, program.Pin, program.Package)
		}
	}
}

func TestVersion(t *testing.T) {
	cache := &Cache{pins: map[string]string{"tools": `module x

replace k8s.io/api => k8s.io/api v0.36.3

tool k8s.io/kubernetes/cmd/kubectl

require (
	k8s.io/kubernetes v1.36.3 // indirect
	k8s.io/kubernetes-other v9.9.9
)
`}}
	version, err := cache.Version(Program{Pin: "tools", Module: kubernetes})
	if err != nil || version != "v1.36.3" {
		t.Errorf("got %q, %v", version, err)
	}
	if version, err := cache.Version(Program{Pin: "tools", Module: "k8s.io/api"}); err == nil {
		t.Errorf("a replacement is no pin, got %q", version)
	}
}

func TestBinaryName(t *testing.T) {
	for pkg, expected := range map[string]string{
		"go.etcd.io/etcd/server/v3":          "server",
		"sigs.k8s.io/kustomize/kustomize/v5": "kustomize",
		"helm.sh/helm/v4/cmd/helm":           "helm",
		"code.gitea.io/gitea":                "gitea",
	} {
		if got := binaryName(pkg); got != expected {
			t.Errorf("%s: %s, not %s", pkg, got, expected)
		}
	}
}
