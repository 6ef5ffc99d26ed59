package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"tandemcd.io/hack/lab/stack"
)

// GitSSHOptions finds what Git over SSH needs.
func GitSSHOptions(ctx context.Context, tell io.Writer) (map[string]string, error) {
	paths, err := need(ctx, tell, tool{"sshd", "openssh-server"}, tool{"ssh-keygen", "openssh-client"})
	if err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		// Where a service manager would have made it; sshd insists on it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// GitSSH serves the repositories below a folder with OpenSSH, to whoever holds
// one of the authorized keys.
func GitSSH(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	port, err := reserve(run)
	if err != nil {
		return nil, err
	}
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	keys, err := hostKeys(ctx, run)
	if err != nil {
		return nil, err
	}
	known, err := knownHosts(ctx, run, port, keys)
	if err != nil {
		return nil, err
	}
	file, err := run.Write("known_hosts", known)
	if err != nil {
		return nil, err
	}
	config, err := run.Write("sshd_config", sshdConfig(run, port, keys))
	if err != nil {
		return nil, err
	}
	facts := stack.Facts{
		"url":  fmt.Sprintf("ssh://%s@127.0.0.1:%d/", who.Username, port),
		"port": strconv.Itoa(port), "user": who.Username, "root": run.Options["root"],
		"known_hosts": strings.TrimSpace(known), "known_hosts_file": file,
		"host_key_file": keys[0], "access_log": run.Path("access.log"),
	}
	return facts, run.StartAndAwait(ctx, stack.Program{
		Name:  "sshd",
		Argv:  []string{run.Options["sshd"], "-D", "-e", "-f", config},
		Ready: greets(port),
	})
}

// hostKeys are the files given, or a new key of the type asked for.
func hostKeys(ctx context.Context, run *stack.Run) ([]string, error) {
	if given := run.Options["host-key"]; given != "" {
		var keys []string
		for number, file := range strings.Split(given, "\n") {
			// A copy, because sshd refuses a key that others can read.
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			key, err := run.Write(fmt.Sprintf("host_key_%d", number+1), string(text))
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		return keys, nil
	}
	key := run.Path("host_key")
	said, err := exec.CommandContext(ctx, run.Options["ssh-keygen"], "-q", "-N", "",
		"-t", run.Options["host-key-type"], "-C", "tandem-lab", "-f", key).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ssh-keygen: %w: %s", err, said)
	}
	return []string{key}, nil
}

// knownHosts has one line for each host key, as a client keeps them.
func knownHosts(ctx context.Context, run *stack.Run, port int, keys []string) (string, error) {
	var known strings.Builder
	for _, key := range keys {
		public, err := exec.CommandContext(ctx, run.Options["ssh-keygen"], "-y", "-f", key).Output()
		if err != nil {
			return "", fmt.Errorf("ssh-keygen -y -f %s: %w", key, err)
		}
		fields := strings.Fields(string(public))
		if len(fields) < 2 {
			return "", fmt.Errorf("ssh-keygen -y -f %s: no public key", key)
		}
		fmt.Fprintf(&known, "[127.0.0.1]:%d %s %s\n", port, fields[0], fields[1])
	}
	return known.String(), nil
}

func sshdConfig(run *stack.Run, port int, keys []string) string {
	// The home is the server's folder, not the user's: sshd starts each session by
	// the user's shell, and what a person's ~/.bashrc does there can take seconds,
	// or stand still on a lock that a session left behind when it was killed.
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "HostKey %s\n", key)
	}
	fmt.Fprintf(&text, `Port %d
ListenAddress 127.0.0.1
AuthorizedKeysFile %s
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
DisableForwarding yes
AcceptEnv GIT_PROTOCOL
SetEnv "PATH=%s" "HOME=%s"
LogLevel VERBOSE
ForceCommand '%s' git-shell '%s' '%s'
`, port, run.Options["authorized-keys"], os.Getenv("PATH"), run.Dir, run.Options["self"], run.Options["root"], run.Path("access.log"))
	return text.String()
}

// greets returns nil once a server says that it speaks SSH.
func greets(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetDeadline(deadline)
		}
		hello := make([]byte, 4)
		if _, err := io.ReadFull(conn, hello); err != nil {
			return err
		}
		if string(hello) != "SSH-" {
			return fmt.Errorf("port %d says %q", port, hello)
		}
		return nil
	}
}
