// Package stack runs a named group of programs (a cluster, a Git server)
// under one supervisor process, and knows nothing of what they are.
package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Spec says what a stack is. It is written to the stack's folder before its
// supervisor starts.
type Spec struct {
	Name    string            `json:"name"`
	Kind    string            `json:"kind"`    // cluster, git-http, git-ssh…
	Owner   proc.ID           `json:"owner"`   // zero: nobody, it runs until it is stopped
	Created time.Time         `json:"created"` //
	Options map[string]string `json:"options"` // what the kind needs to know
	Extra   []string          `json:"extra,omitempty"`
}

// Facts are what a client needs to use a running stack: URLs, files, users.
type Facts map[string]string

// State of a stack as a whole.
type State string

const (
	Starting State = "starting"
	Ready    State = "ready"
	Stopping State = "stopping"
	Dead     State = "dead" // its supervisor is gone, its folder is not
)

// Part is one program of a stack.
type Part struct {
	Name  string  `json:"name"`
	State string  `json:"state"` // running, stopped, paused, or how it exited
	ID    proc.ID `json:"process"`
	Log   string  `json:"log"`
}

// Status is what the supervisor tells of its stack.
type Status struct {
	Spec
	State      State   `json:"state"`
	Dir        string  `json:"dir"`
	Supervisor proc.ID `json:"supervisor"`
	Parts      []Part  `json:"parts"`
	Facts      Facts   `json:"facts"`
}

const longestName = 40

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// CheckName refuses what could not be a folder's name.
func CheckName(name string) error {
	if !validName.MatchString(name) || len(name) > longestName || name == "ports" {
		return fmt.Errorf("%q is no name for a lab: up to %d lower-case letters, digits and hyphens", name, longestName)
	}
	return nil
}

// Root is the folder that holds all stacks of this user.
func Root() (string, error) {
	root := filepath.Join(os.TempDir(), "tandem-lab-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(root, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	// In a folder that everybody may write, somebody else may have been first.
	info, err := os.Lstat(root)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || !ownedByUser(info) {
		return "", fmt.Errorf("%s belongs to another user: set TMPDIR to a folder of your own", root)
	}
	if longest := filepath.Join(root, strings.Repeat("x", longestName), socketFile); len(longest) > 107 {
		return "", fmt.Errorf("%s is too long a path for the lab's sockets: set TMPDIR to a shorter one", root)
	}
	return root, os.Chmod(root, 0o700)
}

// Names lists the stacks that have a folder, running or not.
func Names() ([]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(root, entry.Name(), specFile)); err == nil {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

const (
	specFile      = "lab.json"       // Spec
	recordFile    = "processes.json" // record
	socketFile    = "control"
	supervisorLog = "supervisor.log"
)

// record is what remains on disk for the case that the supervisor dies: whose
// processes these were.
type record struct {
	Supervisor proc.ID   `json:"supervisor"`
	Children   []proc.ID `json:"children"`
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// writeJSON replaces a file at once, so that a reader never sees half of it.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
