package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"tandemcd.io/hack/lab/stack"
)

const envHelp = `
hack/lab env [--name NAME] [-o json]

Prints what a client needs, as exports to be read by a shell:

  eval "$(hack/lab env)"

KUBECONFIG             the admin's
TANDEM_LAB             the name
TANDEM_LAB_DIR         the folder with everything of this cluster
TANDEM_LAB_BIN         the folder with kubectl and the other programs
TANDEM_LAB_SERVER      URL of the API server
TANDEM_LAB_CA          file with its authority's certificate
TANDEM_LAB_TOKEN       bearer token of the admin
TANDEM_LAB_AUDIT_LOG   one JSON line for each request, each watch has two
TANDEM_LAB_ETCD        URL of etcd

For a server, what serve printed, as TANDEM_LAB_URL and so on.`

func env(_ context.Context, arguments []string) error {
	f := newFlags("env", envHelp)
	name, output := f.name(), f.output("shell or json")
	if _, err := f.parse(arguments, 0, 0); err != nil {
		return err
	}
	if err := checkOutput(*output, "", "shell", "json"); err != nil {
		return err
	}
	one, err := look(*name)
	if err != nil {
		return err
	}
	if one.State != stack.Ready {
		return fmt.Errorf("%s is %s", one.Name, one.State)
	}
	if *output == "json" {
		return printJSON(one.Facts)
	}
	for _, key := range slices.Sorted(maps.Keys(one.Facts)) {
		variable := key
		if key != strings.ToUpper(key) {
			variable = "TANDEM_LAB_" + strings.ToUpper(key)
		}
		fmt.Printf("export %s=%s\n", variable, quoted(one.Facts[key]))
	}
	return nil
}

// quoted is text as one word of a shell.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func checkOutput(format string, known ...string) error {
	if !slices.Contains(known, format) {
		return &usageError{fmt.Sprintf("-o %q: the formats are %s", format, strings.TrimSpace(strings.Join(known, " ")))}
	}
	return nil
}
