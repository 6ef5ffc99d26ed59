package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type schema struct {
	Ref                  string `json:"$ref"`
	AllOf                []*schema
	OneOf                []*schema
	Type                 string
	Format               string
	Description          string
	Default              any
	Properties           map[string]*schema
	Required             []string
	Items                *schema
	AdditionalProperties *schema
}

type kind struct{ Group, Version, Kind string }

type operation struct {
	Kind *kind `json:"x-kubernetes-group-version-kind"`
}

type document struct {
	Paths      map[string]struct{ Post *operation }
	Components struct{ Schemas map[string]json.RawMessage }
}

// minor is one minor of Kubernetes.
type minor struct {
	schemas map[string]*schema
	// Kinds that can be created, by apiVersion, `/` and kind: definition and scope.
	created map[string]string
	// By definition and field.
	enums map[[2]string][]string
}

func read(folder string) *minor {
	m := &minor{map[string]*schema{}, map[string]string{}, enums(filepath.Join(folder, "pkg/generated/openapi/zz_generated.openapi.go"))}
	files, err := filepath.Glob(filepath.Join(folder, "api/openapi-spec/v3/*.json"))
	if err != nil || len(files) == 0 {
		panic(fmt.Sprint("no OpenAPI in ", folder, err))
	}
	for _, file := range files {
		bytes, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		var d document
		if err := json.Unmarshal(bytes, &d); err != nil {
			panic(file + ": " + err.Error())
		}
		named := map[kind]string{}
		for name, raw := range d.Components.Schemas {
			var s schema
			var of struct {
				Kinds []kind `json:"x-kubernetes-group-version-kind"`
			}
			if err := json.Unmarshal(raw, &s); err != nil {
				// Schemas of schemas, which have fields named as the words of a schema.
				panic(file + ": " + name + ": " + err.Error())
			}
			if err := json.Unmarshal(raw, &of); err != nil {
				panic(err)
			}
			m.schemas[name] = &s
			if len(of.Kinds) == 1 {
				named[of.Kinds[0]] = name
			}
		}
		m.serve(&d, named)
	}
	return m
}

// serve notes the kinds that a path creates.
func (m *minor) serve(d *document, named map[kind]string) {
	for path, item := range d.Paths {
		// What hangs on an object (`{name}/eviction`) is no object of a manifest.
		if item.Post == nil || item.Post.Kind == nil || strings.Contains(path, "/{name}/") {
			continue
		}
		k := *item.Post.Kind
		name, found := named[k]
		if !found {
			panic(fmt.Sprint("no definition of ", k))
		}
		version := k.Version
		if k.Group != "" {
			version = k.Group + "/" + version
		}
		scope := "c"
		if strings.Contains(path, "/namespaces/{namespace}/") {
			scope = "n"
		}
		// A namespaced kind may also be created by a path without a namespace.
		key := version + "/" + k.Kind
		if !strings.HasPrefix(m.created[key], "n") {
			m.created[key] = scope + " " + name
		}
	}
}

func (m *minor) kinds() map[string]string {
	return m.created
}

// definitions are those that kinds reach, each as its fields.
func (m *minor) definitions() map[string]string {
	told := map[string]string{}
	var visit func(name string)
	visit = func(name string) {
		if _, done := told[name]; done {
			return
		}
		told[name] = ""
		s := m.schemas[name]
		if s == nil {
			panic("no definition " + name)
		}
		var out strings.Builder
		for _, field := range sorted(s.Properties) {
			property := s.Properties[field]
			flags := ""
			byValue := property.Default != nil && isZero(property.Default)
			// What has another value where it is left out may be left out.
			if slices.Contains(s.Required, field) && (property.Default == nil || byValue) {
				flags += "!"
			}
			if byValue {
				flags += "="
			}
			form, refs := m.form(property, m.enums[[2]string{name, field}])
			for _, ref := range refs {
				visit(ref)
			}
			fmt.Fprintf(&out, "%s%s\t%s\n", flags, field, form)
		}
		told[name] = out.String()
	}
	for _, text := range m.created {
		visit(text[2:])
	}
	return told
}

// isZero says whether a default is what Go has for a field that is left out.
func isZero(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case string:
		return value == ""
	case float64:
		return value == 0
	case bool:
		return !value
	}
	return false
}

// Objects of which nothing is said.
var anything = map[string]bool{"RawExtension": true, "FieldsV1": true}

const prefix = "#/components/schemas/"

// form is what a value is, and the definitions that it names.
func (m *minor) form(s *schema, enum []string) (string, []string) {
	ref := s.Ref
	if ref == "" && len(s.AllOf) == 1 {
		ref = s.AllOf[0].Ref
	}
	if ref != "" {
		name := strings.TrimPrefix(ref, prefix)
		target := m.schemas[name]
		switch {
		case target == nil:
			panic("no definition " + name)
		case strings.HasSuffix(name, ".pkg.apis.meta.v1.Duration"):
			return "u", nil
		case strings.HasSuffix(name, ".JSONSchemaPropsOrBool"):
			schema := strings.TrimSuffix(name, "OrBool")
			return "?@" + schema, []string{schema}
		case strings.HasSuffix(name, ".JSONSchemaPropsOrArray"):
			schema := strings.TrimSuffix(name, "OrArray")
			return "&@" + schema, []string{schema}
		case target.Type == "object" && !anything[name[strings.LastIndex(name, ".")+1:]]:
			// One without fields has none that could be written.
			return "@" + name, []string{name}
		case len(target.Properties) == 0:
			return m.form(target, enum)
		default:
			return "@" + name, []string{name}
		}
	}
	switch s.Type {
	case "":
		switch {
		case s.Format == "int-or-string":
			return "x", nil
		case len(s.OneOf) == 2:
			return "q", nil
		}
		return "*", nil
	case "string":
		switch s.Format {
		case "date-time":
			return "d", nil
		case "byte":
			return "y", nil
		}
		if len(enum) > 0 {
			return "s" + strings.Join(enum, "|"), nil
		}
		return "s", nil
	case "integer":
		if s.Format == "int64" {
			return "i", nil
		}
		return "j", nil
	case "number":
		return "n", nil
	case "boolean":
		return "b", nil
	case "array":
		form, refs := m.form(s.Items, enum)
		return "[" + form, refs
	case "object":
		if s.AdditionalProperties != nil {
			form, refs := m.form(s.AdditionalProperties, enum)
			return "{" + form, refs
		}
		return "o", nil
	}
	panic("a type that is not known: " + s.Type)
}
