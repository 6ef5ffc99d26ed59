// Prints what kustomize knows of the built-in kinds: which of their lists are merged by key, by value, or replaced.
// It is the data file of src/render/merge; its form is told in src/render/merge/schema.rs.
package main

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

const prefix = "#/definitions/"

type printer struct {
	definitions spec.Definitions
	// Whether something is merged by key or value anywhere below a definition.
	merges map[string]bool
}

func main() {
	p := &printer{definitions: openapi.Schema().Definitions, merges: map[string]bool{}}
	p.settle()
	var names []string
	for name := range p.definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	out := &strings.Builder{}
	fmt.Fprintf(out, "# Lists of the built-in kinds: %s. Written by `hack/schema`; do not edit.\n", openapi.BuiltinSchemaInfo)
	for _, name := range names {
		p.definition(out, name)
	}
	if _, err := os.Stdout.WriteString(out.String()); err != nil {
		panic(err)
	}
}

// settle finds the definitions below which something is merged, until no more are found.
func (p *printer) settle() {
	for changed := true; changed; {
		changed = false
		for name, definition := range p.definitions {
			if !p.merges[name] && p.below(&definition) {
				p.merges[name], changed = true, true
			}
		}
	}
}

func (p *printer) below(schema *spec.Schema) bool {
	if to := schema.Ref.String(); to != "" {
		return p.merges[strings.TrimPrefix(to, prefix)]
	}
	if _, merged := keys(schema); merged {
		return true
	}
	for _, field := range schema.Properties {
		if p.below(&field) {
			return true
		}
	}
	values := schema.AdditionalProperties
	return values != nil && values.Schema != nil && p.below(values.Schema)
}

// keys are those of a list that is merged: none where it is merged by value.
func keys(schema *spec.Schema) ([]string, bool) {
	strategy, list := (&openapi.ResourceSchema{Schema: schema}).PatchStrategyAndKeyList()
	return list, slices.Contains(strings.Split(strategy, ","), "merge")
}

func (p *printer) definition(out *strings.Builder, name string) {
	definition := p.definitions[name]
	kinds := kinds(&definition)
	if !p.merges[name] {
		// A kind that is known and has nothing to merge is told in one word.
		if len(kinds) > 0 {
			fmt.Fprintf(out, "* %s\n", strings.Join(kinds, " "))
		}
		return
	}
	fmt.Fprintln(out, strings.Join(append([]string{":" + name}, kinds...), " "))
	var fields []string
	for field := range definition.Properties {
		fields = append(fields, field)
	}
	sort.Strings(fields)
	for _, field := range fields {
		schema := definition.Properties[field]
		if told := p.told(&schema); told != "" {
			fmt.Fprintf(out, "%s %s\n", field, told)
		}
	}
	if values := definition.AdditionalProperties; values != nil && values.Schema != nil {
		panic(name + " has fields of any name, which the form does not know")
	}
}

func kinds(definition *spec.Schema) []string {
	list, _ := definition.Extensions["x-kubernetes-group-version-kind"].([]interface{})
	var kinds []string
	for _, entry := range list {
		kind := entry.(map[string]interface{})
		version := kind["version"].(string)
		if group, _ := kind["group"].(string); group != "" {
			version = group + "/" + version
		}
		kinds = append(kinds, version+"/"+kind["kind"].(string))
	}
	sort.Strings(kinds)
	return slices.Compact(kinds)
}

// told is the form of a field; empty for one that holds a scalar.
func (p *printer) told(schema *spec.Schema) string {
	if to := schema.Ref.String(); to != "" {
		name := strings.TrimPrefix(to, prefix)
		target, found := p.definitions[name]
		switch {
		case !found:
			panic("no definition " + name)
		case p.merges[name]:
			return "@" + name
		default:
			return p.told(&target)
		}
	}
	if list, merged := keys(schema); merged {
		if len(list) == 0 {
			list = []string{"="}
		}
		items := "*"
		if schema.Items != nil && schema.Items.Schema != nil {
			if told := p.told(schema.Items.Schema); told != "" {
				items = told
			}
		}
		return "[" + strings.Join(list, ",") + "]" + items
	}
	if p.below(schema) {
		panic("an object within an object, which the form does not know")
	}
	switch {
	case len(schema.Properties) > 0 || schema.AdditionalProperties != nil || slices.Contains(schema.Type, "array"):
		return "*"
	case slices.Contains(schema.Type, "object") || len(schema.Type) == 0:
		return "."
	default:
		return ""
	}
}
