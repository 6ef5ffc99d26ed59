package programs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyData copies what a program needs from its module beside it: the module
// cache may be cleaned at any time.
func (c *Cache) copyData(ctx context.Context, program Program, into string) error {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", program.Module)
	command.Dir = filepath.Join(c.hack, program.Pin)
	command.Env = c.environment()
	command.Stderr = os.Stderr
	module, err := command.Output()
	if err != nil {
		return err
	}
	for _, data := range program.Data {
		var from []string
		for _, path := range data.From {
			from = append(from, filepath.Join(strings.TrimSpace(string(module)), path))
		}
		if err := copyOne(from, filepath.Join(into, data.Name)); err != nil {
			return err
		}
	}
	return nil
}

func copyOne(from []string, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info, err := os.Stat(from[0]); err == nil && info.IsDir() {
		return copyFolder(from[0], to)
	}
	var joined strings.Builder
	for _, path := range from {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		joined.WriteString("---\n" + string(text))
	}
	return os.WriteFile(to, []byte(joined.String()), 0o644)
}

// copyFolder makes everything writable, unlike the module cache, so that it
// can be removed like any folder.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, below), 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, below), content, 0o644)
	})
}
