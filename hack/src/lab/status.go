package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"tandemcd.io/hack/lab/stack"
)

const statusHelp = `
hack/lab status [--name NAME] [-o json]

Lists what runs; with --name, the programs of one and their logs.`

func status(_ context.Context, arguments []string) error {
	f := newFlags("status", statusHelp)
	name := f.String("name", "", "`NAME` of one cluster or server")
	output := f.output("json")
	if _, err := f.parse(arguments, 0, 0); err != nil {
		return err
	}
	if err := checkOutput(*output, "", "json"); err != nil {
		return err
	}
	if *name != "" {
		return statusOf(*name, *output)
	}
	names, err := stack.Names()
	if err != nil {
		return err
	}
	found := []stack.Status{}
	for _, name := range names {
		one, err := stack.Look(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return err
		}
		found = append(found, one)
	}
	if *output == "json" {
		return printJSON(found)
	}
	if len(found) == 0 {
		fmt.Fprintln(os.Stderr, "nothing runs; hack/lab up starts a cluster")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAME\tKIND\tSTATE\tAGE\tOWNER\tURL")
	for _, one := range found {
		owner := "-"
		if one.Owner.PID != 0 {
			owner = strconv.Itoa(one.Owner.PID)
		}
		url := one.Facts["TANDEM_LAB_SERVER"]
		if url == "" {
			url = one.Facts["url"]
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Name, one.Kind, one.State,
			time.Since(one.Created).Round(time.Second), owner, url)
	}
	return table.Flush()
}

func statusOf(name, output string) error {
	one, err := look(name)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(one)
	}
	fmt.Printf("%s (%s) is %s, supervised by process %d, in %s\n", one.Name, one.Kind, one.State, one.Supervisor.PID, one.Dir)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "PROGRAM\tSTATE\tPROCESS\tLOG")
	for _, part := range one.Parts {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", part.Name, part.State, part.ID.PID, part.Log)
	}
	return table.Flush()
}

// look finds a stack that must be there.
func look(name string) (stack.Status, error) {
	if err := stack.CheckName(name); err != nil {
		return stack.Status{}, &usageError{err.Error()}
	}
	one, err := stack.Look(name)
	if errors.Is(err, os.ErrNotExist) {
		return one, fmt.Errorf("%s is not running; hack/lab up --name %s starts it", name, name)
	}
	return one, err
}
