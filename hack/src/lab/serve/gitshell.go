package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// request is what a Git client asks a shell for: git-upload-pack '/repo.git'.
var request = regexp.MustCompile(`^git[- ](upload-pack|receive-pack|upload-archive) (.+)$`)

// GitShell is what sshd runs for each session: the one Git program that the
// client asked for, on a repository below root.
func GitShell(root, log string) error {
	asked := os.Getenv("SSH_ORIGINAL_COMMAND")
	match := request.FindStringSubmatch(asked)
	if match == nil {
		return fmt.Errorf("only Git is served here, not %q", asked)
	}
	repository := filepath.Join(root, path.Clean("/"+unquoted(match[2])))
	if err := note(log, asked); err != nil {
		return err
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return err
	}
	arguments := []string{"git", "-c", "safe.directory=*", match[1], repository}
	return syscall.Exec(git, arguments, os.Environ())
}

// unquoted undoes what Git does to a path for a shell: '…' with '\” and '\!'.
func unquoted(text string) string {
	if !strings.HasPrefix(text, "'") {
		return text
	}
	text = strings.ReplaceAll(text, `'\''`, "\x00")
	text = strings.ReplaceAll(text, `'\!'`, "!")
	return strings.ReplaceAll(strings.Trim(text, "'"), "\x00", "'")
}

// note appends a line of JSON to the log of requests.
func note(log, asked string) error {
	line, err := json.Marshal(map[string]string{
		"time": time.Now().Format(time.RFC3339Nano), "command": asked, "protocol": os.Getenv("GIT_PROTOCOL"),
	})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}
