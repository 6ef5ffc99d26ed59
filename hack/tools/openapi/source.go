package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	function = regexp.MustCompile(`^func schema_(\w+)\(ref common\.ReferenceCallback\)`)
	property = regexp.MustCompile(`^\t{5}"([^"]+)": \{$`)
	values   = regexp.MustCompile(`^\t+Enum:\s+\[\]interface\{\}\{(.*)\},$`)
	value    = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// Names of functions, and the definitions that they make.
var packages = []struct{ function, definition string }{
	{"k8sio_api_", "io.k8s.api."},
	{"pkg_apis_apiextensions_", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."},
	{"pkg_apis_apiregistration_", "io.k8s.kube-aggregator.pkg.apis.apiregistration."},
	{"pkg_apis_meta_", "io.k8s.apimachinery.pkg.apis.meta."},
}

// enums are the values of fields, by definition and field, from the generated Go code: the documents in
// api/openapi-spec have none.
func enums(file string) map[[2]string][]string {
	bytes, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	found := map[[2]string][]string{}
	definition, field := "", ""
	for _, line := range strings.Split(string(bytes), "\n") {
		if match := function.FindStringSubmatch(line); match != nil {
			definition, field = "", ""
			for _, p := range packages {
				if rest, is := strings.CutPrefix(match[1], p.function); is {
					definition = p.definition + strings.ReplaceAll(rest, "_", ".")
					break
				}
			}
		} else if match := property.FindStringSubmatch(line); match != nil {
			field = match[1]
		} else if match := values.FindStringSubmatch(line); match != nil && definition != "" {
			if field == "" {
				panic(definition + " has an enum of no field")
			}
			for _, value := range value.FindAllStringSubmatch(match[1], -1) {
				if strings.ContainsAny(value[1], "|\\\t") {
					panic("a value that the form cannot say: " + value[1])
				}
				key := [2]string{definition, field}
				found[key] = append(found[key], value[1])
			}
		}
	}
	if len(found) < 50 {
		panic(fmt.Sprint(file, " has only ", len(found), " enums"))
	}
	return found
}

var (
	method  = regexp.MustCompile(`^func \(in \*(\w+)\) APILifecycle(\w+)\(\)`)
	number  = regexp.MustCompile(`^\treturn 1, (\d+)$`)
	instead = regexp.MustCompile(`^\treturn schema\.GroupVersionKind\{Group: "([^"]*)", Version: "([^"]*)", Kind: "([^"]*)"\}$`)
	group   = regexp.MustCompile(`(?m)^(?:const|var)?\s*GroupName\s*=\s*"([^"]*)"$`)
)

// lifecycle reads what the types of a package say of themselves.
func lifecycle(file string) []string {
	bytes, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	folder := filepath.Dir(file)
	register, err := os.ReadFile(filepath.Join(folder, "register.go"))
	if err != nil {
		panic(err)
	}
	name := group.FindSubmatch(register)
	if name == nil {
		panic(folder + " has no group")
	}
	version := strings.TrimPrefix(string(name[1])+"/"+filepath.Base(folder), "/")
	told := map[string]map[string]string{}
	of, what := "", ""
	for _, line := range strings.Split(string(bytes), "\n") {
		if match := method.FindStringSubmatch(line); match != nil {
			of, what = match[1], match[2]
			if told[of] == nil {
				told[of] = map[string]string{}
			}
		} else if match := number.FindStringSubmatch(line); match != nil {
			told[of][what] = match[1]
		} else if match := instead.FindStringSubmatch(line); match != nil {
			told[of][what] = strings.TrimPrefix(match[1]+"/"+match[2]+"/"+match[3], "/")
		}
	}
	var all []string
	for _, kind := range sorted(told) {
		deprecated := told[kind]["Deprecated"]
		if deprecated == "" || strings.HasSuffix(kind, "List") {
			continue
		}
		or := func(text string) string {
			if text == "" {
				return "-"
			}
			return text
		}
		all = append(all, fmt.Sprintf("%s/%s %s %s %s", version, kind, deprecated, or(told[kind]["Removed"]), or(told[kind]["Replacement"])))
	}
	return all
}
