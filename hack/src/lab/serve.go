package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandemcd.io/hack/lab/serve"
	"tandemcd.io/hack/lab/stack"
)

const serveHelp = `
hack/lab serve KIND [flags]

Starts a server on loopback, on a free port, and prints as JSON what a client
needs. It runs until hack/lab down --name NAME or until the process of
--owner-pid has ended. hack/lab serve KIND --help lists the flags of each kind.

  git-http   repositories below --root, by nginx and git http-backend: protocol
             v2, pushes, passwords, bearer tokens, TLS, client certificates
  git-ssh    repositories below --root, by OpenSSH
  hang       repositories below --root, by HTTP; hangs in the middle of a pack
  proxy      an HTTP proxy that writes down which hosts it is asked for
  gitea      a whole forge: HTTP, SSH, pull requests, reviews, webhooks, statuses;
             built when it is first asked for, which takes minutes`

func serveCommand(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 || slices.Contains([]string{"-h", "--help", "help"}, arguments[0]) {
		fmt.Println(strings.TrimSpace(serveHelp))
		return nil
	}
	kind := arguments[0]
	how, known := servers[kind]
	if !known {
		return &usageError{fmt.Sprintf("there is no server %q", kind)}
	}
	f := newFlags("serve", "hack/lab serve "+kind+"\n\n"+how.help)
	values := serverFlags{text: map[string]*string{}, truth: map[string]*bool{}}
	name := f.String("name", "", "`NAME` to stop it by (default: a new one)")
	owner := f.owner()
	values.string(f, "port", "", "this `PORT` instead of any free one")
	how.flags(f, &values)
	if _, err := f.parse(arguments[1:], 0, 0); err != nil {
		return err
	}
	if *name == "" {
		*name = kind + "-" + strings.ToLower(rand.Text()[:8])
	}
	if err := stack.CheckName(*name); err != nil {
		return &usageError{err.Error()}
	}
	id, err := ownerID(*owner)
	if err != nil {
		return err
	}
	options, err := values.options(how.needs)
	if err != nil {
		return err
	}
	if how.prepare != nil {
		prepared, err := how.prepare(ctx)
		if err != nil {
			return err
		}
		for key, value := range prepared {
			options[key] = value
		}
	}
	running, err := launch(ctx, stack.Spec{Name: *name, Kind: kind, Owner: id, Created: time.Now(), Options: options})
	if err != nil {
		return err
	}
	running.Facts["name"] = running.Name
	return printJSON(running.Facts)
}

// options checks the flags and turns files into absolute paths, because the
// server runs in a folder of its own.
func (s *serverFlags) options(needs []string) (map[string]string, error) {
	options := map[string]string{}
	for name, value := range s.text {
		options[name] = *value
	}
	for name, value := range s.truth {
		if *value {
			options[name] = strconv.FormatBool(*value)
		}
	}
	if options["mtls"] != "" {
		options["tls"] = options["mtls"]
	}
	for _, name := range needs {
		if options[name] == "" {
			return nil, &usageError{"--" + name + " is missing"}
		}
	}
	files := []string{"root", "authorized-keys"}
	for _, name := range files {
		if options[name] == "" {
			continue
		}
		path, err := existing(options[name])
		if err != nil {
			return nil, &usageError{"--" + name + ": " + err.Error()}
		}
		options[name] = path
	}
	if s.keys != nil {
		var keys []string
		for _, key := range *s.keys {
			path, err := existing(key)
			if err != nil {
				return nil, &usageError{"--host-key: " + err.Error()}
			}
			keys = append(keys, path)
		}
		options["host-key"] = strings.Join(keys, "\n")
	}
	self, err := os.Executable()
	options["self"] = self
	return options, err
}

// existing is the absolute path of a file that must be there. The servers'
// configurations cannot hold every character.
func existing(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(path, " '\"\\;{}$\n") {
		return "", fmt.Errorf("%q: no blanks, quotes or $;{} in paths, please", path)
	}
	_, err = os.Stat(path)
	return path, err
}

// child runs a server of the lab's own as a child of its supervisor.
func child(_ context.Context, arguments []string) error {
	switch {
	case len(arguments) == 4 && arguments[0] == serve.HangKind:
		return serve.ServeHang(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 4 && arguments[0] == serve.CGIKind:
		return serve.ServeCGI(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 5 && arguments[0] == serve.ProxyKind:
		return serve.ServeProxy(arguments[1], arguments[2], arguments[3], arguments[4])
	}
	return &usageError{"child is for serve alone"}
}

// gitShell is what sshd runs for each session.
func gitShell(_ context.Context, arguments []string) error {
	if len(arguments) != 2 {
		return &usageError{"git-shell is for git-ssh alone"}
	}
	return serve.GitShell(arguments[0], arguments[1])
}
