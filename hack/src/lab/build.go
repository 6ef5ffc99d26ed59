package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"tandemcd.io/hack/lab/programs"
)

func buildHelp() string {
	var table strings.Builder
	for _, program := range programs.All() {
		when := "on demand"
		if program.Default {
			when = "default"
		}
		fmt.Fprintf(&table, "  %-24s %-10s %s\n", program.Name, when, program.Cold)
	}
	return `
hack/lab build [PROGRAM…]

Builds programs that are not in the cache yet, those of a cluster where none is
named, and prints the folder with all that are. The times are for an empty Go
build cache and two cores, each after those above it.

` + table.String()
}

func build(ctx context.Context, arguments []string) error {
	f := newFlags("build", buildHelp())
	names, err := f.parse(arguments, 0, -1)
	if err != nil {
		return err
	}
	wanted := programs.Default()
	if len(names) > 0 {
		if wanted, err = programs.Find(names); err != nil {
			return &usageError{err.Error()}
		}
	}
	cache, err := openCache(ctx)
	if err != nil {
		return err
	}
	bin, err := cache.Ensure(ctx, wanted, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(bin)
	return nil
}

// openCache finds the pins through the launcher, which knows where it stands.
func openCache(ctx context.Context) (*programs.Cache, error) {
	hack := os.Getenv("TANDEM_LAB_HACK")
	if hack == "" {
		return nil, errors.New("call hack/lab, which says where the pinned modules are")
	}
	return programs.Open(ctx, hack)
}
