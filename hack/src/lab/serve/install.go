// Package serve runs the servers that Tandem fetches from: Git over HTTP and
// SSH, one that hangs, a proxy.
package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"tandemcd.io/hack/lab/proc"
)

// tool is a program of the system that a server needs.
type tool struct {
	name   string
	debian string // the package that holds it
}

// places beyond PATH: servers live in sbin, which a user's PATH often lacks.
var places = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}

func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, place := range places {
		if path := filepath.Join(place, name); executable(path) {
			return path
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// need finds the tools, and installs those that are missing where this is root
// on Debian or a child of it; else it says what to install.
func need(ctx context.Context, tell io.Writer, tools ...tool) (map[string]string, error) {
	paths, packages := look(tools)
	if len(packages) == 0 {
		return paths, nil
	}
	apt := find("apt-get")
	if apt == "" || os.Getuid() != 0 {
		return nil, fmt.Errorf("this machine lacks what Debian has in %[1]s: apt-get install %[1]s", strings.Join(packages, " "))
	}
	lock, err := proc.WaitLock(filepath.Join(os.TempDir(), "tandem-lab-apt.lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if paths, packages = look(tools); len(packages) == 0 {
		return paths, nil // by another lab meanwhile
	}
	fmt.Fprintf(tell, "installing %s\n", strings.Join(packages, " "))
	if err := install(ctx, apt, packages); err != nil {
		return nil, err
	}
	if paths, packages = look(tools); len(packages) > 0 {
		return nil, fmt.Errorf("%s installed, but not all of its programs are there", strings.Join(packages, " "))
	}
	return paths, nil
}

func look(tools []tool) (paths map[string]string, packages []string) {
	paths = map[string]string{}
	for _, tool := range tools {
		if paths[tool.name] = find(tool.name); paths[tool.name] == "" && !slices.Contains(packages, tool.debian) {
			packages = append(packages, tool.debian)
		}
	}
	return paths, packages
}

// denyStart is Debian's own way to keep a package from starting its service
// when it is installed: the lab starts its own, on loopback.
const (
	denyStart     = "/usr/sbin/policy-rc.d"
	denyStartText = "#!/bin/sh\n# Written by hack/lab while it installs; may be removed.\nexit 101\n"
)

func install(ctx context.Context, apt string, packages []string) error {
	if text, err := os.ReadFile(denyStart); os.IsNotExist(err) || string(text) == denyStartText {
		if err := os.WriteFile(denyStart, []byte(denyStartText), 0o755); err != nil {
			return err
		}
		defer os.Remove(denyStart)
	}
	arguments := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	said, err := aptGet(ctx, apt, arguments...)
	if err != nil {
		// The lists of a fresh image are empty or old.
		if said, err = aptGet(ctx, apt, "update"); err == nil {
			said, err = aptGet(ctx, apt, arguments...)
		}
	}
	if err != nil {
		return fmt.Errorf("apt-get install %s: %w\n%s", strings.Join(packages, " "), err, said)
	}
	return nil
}

func aptGet(ctx context.Context, apt string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, apt, arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	said, err := command.CombinedOutput()
	return string(said[max(0, len(said)-2000):]), err
}
