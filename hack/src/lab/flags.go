package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"tandemcd.io/hack/lab/proc"
)

// usageError is a command that was called wrongly.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

var errHelp = errors.New("help was printed")

// flags reads the flags of one command. Unlike the flag package it takes them
// before, between and after the arguments.
type flags struct {
	*flag.FlagSet
	help string
}

func newFlags(name, help string) *flags {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return &flags{set, help}
}

// parse returns the arguments that are not flags; there must be as many as
// least and most say, and any number where most is negative.
func (f *flags) parse(arguments []string, least, most int) ([]string, error) {
	var plain []string
	for {
		err := f.Parse(arguments)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Println(strings.TrimSpace(f.help) + "\n\nFlags")
			f.SetOutput(os.Stdout)
			f.PrintDefaults()
			return nil, errHelp
		}
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		if f.NArg() == 0 {
			break
		}
		plain = append(plain, f.Arg(0))
		arguments = f.Args()[1:]
	}
	if len(plain) < least {
		return nil, &usageError{"too few arguments"}
	}
	if most >= 0 && len(plain) > most {
		return nil, &usageError{fmt.Sprintf("what is %q?", plain[most])}
	}
	return plain, nil
}

const defaultName = "default"

func (f *flags) name() *string {
	return f.String("name", defaultName, "`NAME` of the cluster or server")
}

func (f *flags) output(what string) *string {
	return f.String("o", "", "output `FORMAT`: "+what)
}

// owner is the process that a stack belongs to.
func (f *flags) owner() *int {
	return f.Int("owner-pid", 0, "stop, and remove all data, when the process `PID` has ended, however it ended")
}

func ownerID(pid int) (proc.ID, error) {
	if pid == 0 {
		return proc.ID{}, nil
	}
	id, err := proc.Of(pid)
	if err != nil {
		return id, &usageError{"--owner-pid: " + err.Error()}
	}
	return id, nil
}

// words is a flag that may be given again and may hold commas.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }

func (w *words) Set(text string) error {
	*w = append(*w, strings.Split(text, ",")...)
	return nil
}

// lines is a flag that may be given again and is taken as it stands.
type lines []string

func (l *lines) String() string { return strings.Join(*l, " ") }

func (l *lines) Set(text string) error {
	*l = append(*l, text)
	return nil
}
