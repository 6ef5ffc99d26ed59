package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tandemcd.io/hack/lab/stack"
)

const downHelp = `
hack/lab down [--name NAME | --all]

Stops a cluster or server, exactly the processes that it started, and removes
its data. Where there is none of this name, nothing happens. --all spares what
belongs to a process that still runs (--owner-pid): it will go with that one.`

func down(_ context.Context, arguments []string) error {
	f := newFlags("down", downHelp)
	name := f.name()
	every := f.Bool("all", false, "every cluster and server of this user that has no living owner")
	if _, err := f.parse(arguments, 0, 0); err != nil {
		return err
	}
	names := []string{*name}
	if *every {
		var err error
		if names, err = stack.Names(); err != nil {
			return err
		}
	} else if err := stack.CheckName(*name); err != nil {
		return &usageError{err.Error()}
	}
	var failures []error
	for _, name := range names {
		if *every {
			one, err := stack.Look(name)
			if err == nil && one.Owner.Alive() {
				fmt.Fprintf(os.Stderr, "%s belongs to process %d and is left alone; --name %s stops it\n", name, one.Owner.PID, name)
				continue
			}
		}
		stopped, err := stack.Down(name)
		switch {
		case err != nil:
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		case stopped:
			fmt.Fprintf(os.Stderr, "%s is stopped and its data removed\n", name)
		default:
			fmt.Fprintf(os.Stderr, "%s is not running\n", name)
		}
	}
	return errors.Join(failures...)
}
