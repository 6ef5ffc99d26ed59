package serve

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"

	"tandemcd.io/hack/lab/pki"
	"tandemcd.io/hack/lab/stack"
)

// GiteaKind is a whole forge: repositories, pull requests, reviews, webhooks.
const GiteaKind = "gitea"

const giteaAdmin = "tandem"

// Gitea runs the forge with a database of its own and one administrator.
func Gitea(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	port, err := reserve(run)
	if err != nil {
		return nil, err
	}
	sshPort, err := run.Ports.Reserve()
	if err != nil {
		return nil, err
	}
	facts := stack.Facts{
		"port": strconv.Itoa(port), "ssh_port": strconv.Itoa(sshPort),
		"user": giteaAdmin, "password": rand.Text(),
	}
	ini, err := giteaConfig(run, port, sshPort, facts)
	if err != nil {
		return nil, err
	}
	gitea := func(arguments ...string) []string {
		return append([]string{run.Options["gitea"], "--config", ini, "--work-path", run.Dir}, arguments...)
	}
	if err := run.StartAndAwait(ctx, stack.Program{
		Name: GiteaKind, Argv: gitea("web"), Ready: healthy(facts["url"] + "api/healthz"),
	}); err != nil {
		return nil, err
	}
	create := exec.CommandContext(ctx, run.Options["gitea"], gitea("admin", "user", "create", "--admin",
		"--username", giteaAdmin, "--password", facts["password"], "--email", giteaAdmin+"@example.org",
		"--must-change-password=false", "--access-token", "--access-token-name", "lab", "--access-token-scopes", "all")[1:]...)
	create.Dir = run.Dir
	create.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + run.Dir}
	said, err := create.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("gitea admin user create: %w\n%s", err, said)
	}
	token := regexp.MustCompile(`\b[0-9a-f]{40}\b`).Find(said)
	if token == nil {
		return nil, fmt.Errorf("gitea admin user create printed no token:\n%s", said)
	}
	facts["token"] = string(token)
	run.Step("administrator %s", giteaAdmin)
	return facts, nil
}

func giteaConfig(run *stack.Run, port, sshPort int, facts stack.Facts) (string, error) {
	who, err := user.Current()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(run.Path("pki"), 0o700); err != nil {
		return "", err
	}
	known, err := pki.NewHostKey(run.Path("pki/ssh_host_key"))
	if err != nil {
		return "", err
	}
	facts["known_hosts"] = fmt.Sprintf("[127.0.0.1]:%d %s", sshPort, known)
	if facts["known_hosts_file"], err = run.Write("known_hosts", facts["known_hosts"]+"\n"); err != nil {
		return "", err
	}
	facts["ssh_url"] = fmt.Sprintf("ssh://%s@127.0.0.1:%d/", who.Username, sshPort)
	scheme, secure := "http", ""
	if run.Options["tls"] != "" {
		authority, err := pki.NewAuthority(run.Path("pki"), "ca")
		if err != nil {
			return "", err
		}
		pair, err := authority.Server(run.Path("pki"), "server")
		if err != nil {
			return "", err
		}
		facts["ca_file"] = authority.File
		scheme, secure = "https", fmt.Sprintf("PROTOCOL = https\nCERT_FILE = %s\nKEY_FILE = %s\n", pair.Cert, pair.Key)
	}
	facts["url"] = fmt.Sprintf("%s://127.0.0.1:%d/", scheme, port)
	text := strings.NewReplacer(
		"{user}", who.Username, "{root}", strconv.FormatBool(os.Getuid() == 0), "{dir}", run.Dir,
		"{port}", facts["port"], "{sshPort}", facts["ssh_port"], "{url}", facts["url"], "{tls}", secure,
		"{static}", run.Options["static"], "{secret}", rand.Text()+rand.Text(),
	).Replace(giteaIni)
	return run.Write("app.ini", text)
}

// giteaIni turns off what calls other hosts and what tests do not need, and
// allows webhooks to loopback.
const giteaIni = `APP_NAME = forge
RUN_USER = {user}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = {root}

[server]
{tls}HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = {url}
STATIC_ROOT_PATH = {static}
START_SSH_SERVER = true
SSH_DOMAIN = 127.0.0.1
SSH_LISTEN_HOST = 127.0.0.1
SSH_LISTEN_PORT = {sshPort}
SSH_PORT = {sshPort}
SSH_SERVER_HOST_KEYS = {dir}/pki/ssh_host_key
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_HASH_ALGO = pbkdf2$1000$50
PASSWORD_COMPLEXITY = off

[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main
ENABLE_PUSH_CREATE_USER = true
ENABLE_PUSH_CREATE_ORG = true

[webhook]
ALLOWED_HOST_LIST = *
SKIP_TLS_VERIFY = true

[service]
DISABLE_REGISTRATION = true

[indexer]
ISSUE_INDEXER_TYPE = db

[session]
PROVIDER = memory

[picture]
DISABLE_GRAVATAR = true

[actions]
ENABLED = false

[packages]
ENABLED = true

[oauth2]
ENABLED = false

[cron.update_checker]
ENABLED = false

[log]
MODE = console
LEVEL = Info
`
