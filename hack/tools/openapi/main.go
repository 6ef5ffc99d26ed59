// Prints what the supported minors of Kubernetes say of the built-in kinds: fields, types, what is required, enums, and
// which API versions are deprecated or gone. It is the data file of src/schema; its form is told in
// src/schema/builtin/data.rs.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// The minors, oldest first, each with its newest patch when this was last run. Go checks what it downloads against the
// public checksum database.
var minors = []struct{ minor, version string }{
	{"33", "v1.33.13"},
	{"34", "v1.34.4"},
	{"35", "v1.35.4"},
	{"36", "v1.36.3"},
	{"37", "v1.37.2"},
}

// Modules whose types say when they were deprecated and removed. k8s.io/api keeps types long after nobody serves them.
var lifecycles = []string{
	"k8s.io/api@v0.37.2",
	"k8s.io/apiextensions-apiserver@v0.37.2",
	"k8s.io/kube-aggregator@v0.37.2",
}

// line is something that some minors say.
type line struct {
	text string
	mask int
}

type lines map[string]int

func main() {
	if slices.Contains(os.Args, "--texts") {
		fmt.Print(texts())
		return
	}
	definitions, kinds := map[string]lines{}, map[string]lines{}
	said := func(in map[string]lines, key, text string, bit int) {
		if in[key] == nil {
			in[key] = lines{}
		}
		in[key][text] |= bit
	}
	var names []string
	for at, minor := range minors {
		m := read(download("k8s.io/kubernetes@" + minor.version))
		names = append(names, minor.minor)
		for name, text := range m.definitions() {
			said(definitions, name, text, 1<<at)
		}
		for kind, text := range m.kinds() {
			said(kinds, kind, text, 1<<at)
		}
	}
	out := &strings.Builder{}
	fmt.Fprintf(out, "# The built-in kinds of Kubernetes 1.%s to 1.%s. Written by `hack/schema`; do not edit.\n", names[0], names[len(names)-1])
	fmt.Fprintf(out, "minors %s\n", strings.Join(names, " "))
	for _, line := range removals() {
		fmt.Fprintf(out, "- %s\n", line)
	}
	for _, kind := range sorted(kinds) {
		for _, line := range ordered(kinds[kind]) {
			fmt.Fprintf(out, "* %x %s %s\n", line.mask, kind, line.text)
		}
	}
	for _, name := range sorted(definitions) {
		for _, line := range ordered(definitions[name]) {
			fmt.Fprintf(out, ":%x %s\n%s", line.mask, name, line.text)
		}
	}
	if _, err := os.Stdout.WriteString(out.String()); err != nil {
		panic(err)
	}
}

func sorted[V any](values map[string]V) []string {
	var keys []string
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func ordered(of lines) []line {
	var all []line
	for text, mask := range of {
		all = append(all, line{text, mask})
	}
	slices.SortFunc(all, func(a, b line) int { return a.mask - b.mask })
	return all
}

// download is the folder of a module.
func download(module string) string {
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Dir = os.TempDir()
	command.Stderr = os.Stderr
	answer, err := command.Output()
	if err != nil {
		panic(fmt.Sprintf("%s: %v\n%s", module, err, answer))
	}
	var told struct{ Dir, Error string }
	if err := json.Unmarshal(answer, &told); err != nil || told.Error != "" {
		panic(fmt.Sprintf("%s: %v %s", module, err, told.Error))
	}
	return told.Dir
}

// removals are API versions that are deprecated: kind, the minor that deprecated it, the minor that serves it no more
// or `-`, and what to use instead or `-`.
func removals() []string {
	// Types that are gone from the modules.
	all := []string{
		"autoscaling/v2beta1/HorizontalPodAutoscaler 22 25 autoscaling/v2/HorizontalPodAutoscaler",
		"autoscaling/v2beta2/HorizontalPodAutoscaler 23 26 autoscaling/v2/HorizontalPodAutoscaler",
		"extensions/v1beta1/PodSecurityPolicy 11 16 -",
		"policy/v1beta1/PodSecurityPolicy 21 25 -",
	}
	for _, module := range lifecycles {
		folder := download(module)
		var files []string
		if err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			// core/v1 has written by hand what is generated elsewhere.
			if name := filepath.Base(path); name == "zz_generated.prerelease-lifecycle.go" || name == "lifecycle.go" {
				files = append(files, path)
			}
			return err
		}); err != nil {
			panic(err)
		}
		for _, file := range files {
			all = append(all, lifecycle(file)...)
		}
	}
	sort.Strings(all)
	return all
}
