package main

import (
	"context"
	"fmt"
	"os"

	"tandemcd.io/hack/lab/stack"
)

const stopHelp = `
hack/lab stop PROGRAM [--name NAME] [--signal TERM|KILL|INT|STOP]

Ends one program of a cluster and waits until it has ended; with STOP it is
only paused: its connections stay open and nothing answers.
hack/lab status --name NAME lists the programs.`

func stop(_ context.Context, arguments []string) error {
	f := newFlags("stop", stopHelp)
	name := f.name()
	signal := f.String("signal", "TERM", "`SIGNAL`: "+stack.SignalNames)
	plain, err := f.parse(arguments, 1, 1)
	if err != nil {
		return err
	}
	if err := stack.Stop(*name, plain[0], *signal); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s of %s is stopped\n", plain[0], *name)
	return nil
}

const startHelp = `
hack/lab start PROGRAM [--name NAME]

Runs a stopped program of a cluster again, with the ports and data it had, or
resumes a paused one, and waits until it is ready.`

func start(_ context.Context, arguments []string) error {
	f := newFlags("start", startHelp)
	name := f.name()
	plain, err := f.parse(arguments, 1, 1)
	if err != nil {
		return err
	}
	if err := stack.Start(*name, plain[0]); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s of %s is ready\n", plain[0], *name)
	return nil
}
