package main

import (
	"fmt"
	"strings"
)

// texts are what the newest minor says in words of its definitions and their fields. It is the data file of hovers and
// completions; its form is told in src/schema/builtin/texts.rs.
func texts() string {
	newest := minors[len(minors)-1]
	m := read(download("k8s.io/kubernetes@" + newest.version))
	out := &strings.Builder{}
	fmt.Fprintf(out, "# What Kubernetes 1.%s says of its fields. Written by `hack/schema`; do not edit.\n", newest.minor)
	reached := m.definitions()
	for _, name := range sorted(reached) {
		s := m.schemas[name]
		fmt.Fprintf(out, ":%s\t%s\n", name, plain(s.Description))
		for _, field := range sorted(s.Properties) {
			if text := plain(s.Properties[field].Description); text != "" {
				fmt.Fprintf(out, "%s\t%s\n", field, text)
			}
		}
	}
	return out.String()
}

// plain is a text on one line; what begins a new paragraph or item is kept as `\n`.
func plain(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for at, line := range lines {
		lines[at] = strings.Join(strings.Fields(line), " ")
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "\n", `\n`)
}
