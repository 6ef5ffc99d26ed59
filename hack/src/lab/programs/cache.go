package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Cache is where built programs are kept, outside every tree, so that all
// checkouts of one user share them.
type Cache struct {
	dir  string // …/tandem/lab
	hack string // the folder that holds the pins
	goes string // the Go version that builds
	pins map[string]string
}

// Open reads the pins under the folder hack.
func Open(ctx context.Context, hack string) (*Cache, error) {
	base := os.Getenv("TANDEM_CACHE")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return nil, fmt.Errorf("no place for the programs of the lab: %w; set TANDEM_CACHE", err)
		}
	}
	cache := &Cache{dir: filepath.Join(base, "tandem", "lab"), hack: hack, pins: map[string]string{}}
	if err := os.MkdirAll(cache.dir, 0o755); err != nil {
		return nil, err
	}
	for _, program := range all {
		if _, read := cache.pins[program.Pin]; read {
			continue
		}
		text, err := os.ReadFile(filepath.Join(hack, program.Pin, "go.mod"))
		if err != nil {
			return nil, err
		}
		cache.pins[program.Pin] = string(text)
	}
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Dir = filepath.Join(hack, "tools")
	command.Stderr = os.Stderr
	version, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOVERSION: %w", err)
	}
	cache.goes = strings.TrimSpace(string(version))
	return cache, nil
}

// Version of a program, as its pin says.
func (c *Cache) Version(program Program) (string, error) {
	for line := range strings.Lines(c.pins[program.Pin]) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == program.Module && strings.HasPrefix(fields[1], "v") {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("hack/%s/go.mod does not pin %s", program.Pin, program.Module)
}

// Folder of a program in the cache, built or not.
func (c *Cache) Folder(program Program) (string, error) {
	version, err := c.Version(program)
	if err != nil {
		return "", err
	}
	return filepath.Join(c.dir, fmt.Sprintf("%s-%s-%s", program.Name, version, c.goes)), nil
}

// Path of a program, or of one of its data files, in the cache.
func (c *Cache) Path(program Program, file string) (string, error) {
	folder, err := c.Folder(program)
	return filepath.Join(folder, file), err
}

// Bin is the one folder with links to all programs of these versions.
func (c *Cache) Bin() (string, error) {
	sum := sha256.New()
	for _, program := range all {
		folder, err := c.Folder(program)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, folder)
	}
	return filepath.Join(c.dir, "bin-"+hex.EncodeToString(sum.Sum(nil))[:12]), nil
}

// missing lists those that are not built yet.
func (c *Cache) missing(wanted []Program) ([]Program, error) {
	var absent []Program
	for _, program := range wanted {
		path, err := c.Path(program, program.Name)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err != nil {
			absent = append(absent, program)
		}
	}
	return absent, nil
}

// link puts links to the programs into the one folder.
func (c *Cache) link(wanted []Program) (string, error) {
	bin, err := c.Bin()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	for _, program := range wanted {
		target, err := c.Path(program, program.Name)
		if err != nil {
			return "", err
		}
		at := filepath.Join(bin, program.Name)
		if now, err := os.Readlink(at); err == nil && now == target {
			continue
		}
		fresh := fmt.Sprintf("%s.%d", at, os.Getpid())
		if err := os.Symlink(target, fresh); err != nil {
			return "", err
		}
		if err := os.Rename(fresh, at); err != nil {
			return "", err
		}
	}
	return bin, nil
}
