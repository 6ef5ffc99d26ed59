package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Ensure builds those of the wanted programs that the cache lacks and returns
// the folder with links to them. What it builds, and for how long, it tells.
func (c *Cache) Ensure(ctx context.Context, wanted []Program, tell io.Writer) (string, error) {
	absent, err := c.missing(wanted)
	if err != nil {
		return "", err
	}
	if len(absent) > 0 {
		if err := c.buildLocked(ctx, wanted, tell); err != nil {
			return "", err
		}
	}
	return c.link(wanted)
}

// buildLocked builds one at a time on this machine: two builds would compile
// the same packages twice.
func (c *Cache) buildLocked(ctx context.Context, wanted []Program, tell io.Writer) error {
	at := filepath.Join(c.dir, ".lock")
	lock, err := proc.TryLock(at)
	if err != nil {
		return err
	}
	if lock == nil {
		fmt.Fprintln(tell, "waiting for a build of the lab's programs that another process has begun …")
		if lock, err = proc.WaitLock(at); err != nil {
			return err
		}
	}
	defer lock.Release()
	absent, err := c.missing(wanted)
	if err != nil {
		return err
	}
	stale, _ := filepath.Glob(filepath.Join(c.dir, ".building-*"))
	for _, folder := range stale {
		_ = os.RemoveAll(folder)
	}
	byPin := map[string][]Program{}
	for _, program := range absent {
		byPin[program.Pin] = append(byPin[program.Pin], program)
	}
	for pin, group := range byPin {
		if err := c.build(ctx, pin, group, tell); err != nil {
			return err
		}
	}
	return nil
}

// build compiles programs of one pin with one call of the compiler, which so
// keeps all cores busy, and moves each into its folder at once.
func (c *Cache) build(ctx context.Context, pin string, group []Program, tell io.Writer) error {
	work, err := os.MkdirTemp(c.dir, ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var cold time.Duration
	flags, err := c.linkFlags(group)
	if err != nil {
		return err
	}
	arguments := []string{"build", "-v", "-trimpath", "-ldflags", flags, "-o", work + "/"}
	if group[0].Tags != "" {
		arguments = append(arguments, "-tags", group[0].Tags)
	}
	for _, program := range group {
		cold += program.Cold
		arguments = append(arguments, program.Package)
	}
	fmt.Fprintf(tell, "building %s with %s, once (about %s from empty caches on two cores)\n",
		strings.Join(namesOf(group), ", "), c.goes, cold.Round(5*time.Second))
	began := time.Now()
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = filepath.Join(c.hack, pin)
	command.Env = c.environment()
	progress := newProgress(tell, cold)
	command.Stderr, command.Stdout = progress, progress
	err = command.Run()
	progress.finish()
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted; what is compiled so far is kept")
		}
		return fmt.Errorf("go build in hack/%s failed (%w):\n%s", pin, err, progress.said())
	}
	for _, program := range group {
		if err := c.install(ctx, program, work); err != nil {
			return fmt.Errorf("%s: %w", program.Name, err)
		}
	}
	fmt.Fprintf(tell, "built in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// environment keeps the caller's settings of the build from changing what is
// built: only the pinned versions, and no version control needed.
func (c *Cache) environment() []string {
	return append(os.Environ(), "GOFLAGS=-buildvcs=false -mod=readonly", "GOWORK=off")
}

// linkFlags give the programs the version that they report. Clients cannot
// parse the version of an API server that was linked without them.
func (c *Cache) linkFlags(group []Program) (string, error) {
	flags := "-s -w"
	for _, program := range group {
		if program.Stamp == "" {
			continue
		}
		version, err := c.Version(program)
		if err != nil {
			return "", err
		}
		flags += " -X " + program.Stamp + "=" + strings.TrimPrefix(version, "v")
	}
	if version, err := c.Version(Program{Pin: "tools", Module: kubernetes}); err == nil {
		const at = " -X k8s.io/component-base/version."
		parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
		flags += at + "gitVersion=" + version + at + "gitMajor=" + parts[0] + at + "gitMinor=" + parts[1]
	}
	return flags, nil
}

var majorSuffix = regexp.MustCompile(`^v[0-9]+$`)

// binaryName is what go build calls the binary of a package: the last part of
// its path that is not a major version.
func binaryName(pkg string) string {
	if base := path.Base(pkg); !majorSuffix.MatchString(base) {
		return base
	}
	return path.Base(path.Dir(pkg))
}

// install moves a built program, with its data files, into its folder.
func (c *Cache) install(ctx context.Context, program Program, work string) error {
	folder, err := c.Folder(program)
	if err != nil {
		return err
	}
	fresh := filepath.Join(work, program.Name+".folder")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(work, binaryName(program.Package)), filepath.Join(fresh, program.Name)); err != nil {
		return err
	}
	if len(program.Data) > 0 {
		if err := c.copyData(ctx, program, fresh); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return os.Rename(fresh, folder)
}
