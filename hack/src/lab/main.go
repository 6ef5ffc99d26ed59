// Command lab builds and runs real servers for Tandem's tests and for trying
// it out: a Kubernetes control plane with fake nodes, Git servers, a forge. It
// needs no container engine and no root, and listens on loopback alone.
// hack/lab builds and calls it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tandemcd.io/hack/lab/cluster"
	"tandemcd.io/hack/lab/serve"
	"tandemcd.io/hack/lab/stack"
)

// kinds of stacks that a supervisor can run.
var kinds = map[string]stack.Kind{
	cluster.Kind:      cluster.Start,
	serve.GitHTTPKind: serve.GitHTTP,
	serve.GitSSHKind:  serve.GitSSH,
	serve.HangKind:    serve.Hang,
	serve.ProxyKind:   serve.Proxy,
	serve.GiteaKind:   serve.Gitea,
}

// commands by name; each has one file.
var commands = map[string]func(ctx context.Context, arguments []string) error{
	"up":        up,
	"down":      down,
	"status":    status,
	"env":       env,
	"build":     build,
	"stop":      stop,
	"start":     start,
	"serve":     serveCommand,
	"supervise": supervise,
	"child":     child,
	"git-shell": gitShell,
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:]))
}

const (
	exitFailed = 1
	exitUsage  = 2
)

func run(ctx context.Context, arguments []string) int {
	if len(arguments) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	}
	name, rest := arguments[0], arguments[1:]
	if name == "help" || name == "-h" || name == "--help" {
		fmt.Print(usage)
		return 0
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(os.Stderr, "hack/lab: there is no command %q\n\n%s", name, usage)
		return exitUsage
	}
	err := command(ctx, rest)
	var wrong *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "hack/lab %s: %s\n", name, wrong.problem)
		fmt.Fprintf(os.Stderr, "hint: hack/lab %s --help\n", name)
		return exitUsage
	}
	report(name, err)
	return exitFailed
}

// report prints an error with what helps to find its cause.
func report(command string, err error) {
	var failure *stack.Failure
	if !errors.As(err, &failure) {
		fmt.Fprintf(os.Stderr, "hack/lab %s: %v\n", command, err)
		return
	}
	fmt.Fprintf(os.Stderr, "hack/lab %s: %s: %s\n", command, failure.Program, failure.Problem)
	if len(failure.Tail) > 0 {
		fmt.Fprintf(os.Stderr, "the end of %s:\n", failure.Log)
		for _, line := range failure.Tail {
			fmt.Fprintf(os.Stderr, "  | %.400s\n", line)
		}
	}
	if failure.Hint != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", failure.Hint)
	}
}

// supervise is what up and serve start in the background.
func supervise(_ context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return &usageError{"supervise FOLDER is for up and serve alone"}
	}
	return stack.Supervise(arguments[0], kinds)
}
