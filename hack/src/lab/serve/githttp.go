package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"tandemcd.io/hack/lab/pki"
	"tandemcd.io/hack/lab/stack"
)

// Kinds of servers.
const (
	GitHTTPKind = "git-http"
	GitSSHKind  = "git-ssh"
	HangKind    = "hang"
	ProxyKind   = "proxy"
)

// GitHTTPOptions finds what Git over HTTP needs.
func GitHTTPOptions(ctx context.Context, tell io.Writer) (map[string]string, error) {
	paths, err := need(ctx, tell, tool{"nginx", "nginx-light"})
	if err != nil {
		return nil, err
	}
	core, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	paths["backend"] = filepath.Join(strings.TrimSpace(string(core)), "git-http-backend")
	if !executable(paths["backend"]) {
		return nil, fmt.Errorf("git has no %s: install the whole of git", paths["backend"])
	}
	return paths, nil
}

// GitHTTP serves the repositories below a folder with nginx in front of git
// http-backend, for reading and pushing.
func GitHTTP(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	port, err := reserve(run)
	if err != nil {
		return nil, err
	}
	facts := stack.Facts{
		"port": strconv.Itoa(port), "root": run.Options["root"],
		"access_log": run.Path("access.log"),
	}
	conf := nginxConf{run: run, port: port, socket: run.Path("cgi")}
	if run.Options["tls"] != "" {
		if err := conf.secure(facts); err != nil {
			return nil, err
		}
	}
	if err := conf.protect(facts); err != nil {
		return nil, err
	}
	facts["url"] = fmt.Sprintf("%s://127.0.0.1:%d/", conf.scheme(), port)
	path, err := run.Write("nginx.conf", conf.text())
	if err != nil {
		return nil, err
	}
	if err := run.StartAndAwait(ctx, stack.Program{
		Name:  CGIKind,
		Argv:  []string{run.Options["self"], "child", CGIKind, conf.socket, run.Options["backend"], run.Options["root"]},
		Ready: func(context.Context) error { _, err := os.Stat(conf.socket); return err },
	}); err != nil {
		return nil, err
	}
	return facts, run.StartAndAwait(ctx, stack.Program{
		Name: "nginx",
		// Its first log is opened before it reads the configuration.
		Argv:  []string{run.Options["nginx"], "-p", run.Dir, "-e", run.Path("log/nginx.log"), "-c", path},
		Ready: answers(facts["url"]),
	})
}

// reserve takes the port that was asked for, or any.
func reserve(run *stack.Run) (int, error) {
	if asked := run.Options["port"]; asked != "" {
		port, err := strconv.Atoi(asked)
		if err != nil {
			return 0, err
		}
		return port, run.Ports.Claim(port)
	}
	return run.Ports.Reserve()
}

// answers returns nil once a server sends any response, a refusal included.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, url)
		return err
	}
}

// healthy returns nil once a page is answered with success.
func healthy(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		code, err := get(ctx, url)
		if err == nil && code != http.StatusOK {
			return fmt.Errorf("%s answers %d", url, code)
		}
		return err
	}
}

func get(ctx context.Context, url string) (int, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// Whether its certificate is right is for the client under test to say.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("User-Agent", "tandem-lab")
	reply, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return reply.StatusCode, reply.Body.Close()
}

// secure makes the certificates and says where a client finds its part.
func (c *nginxConf) secure(facts stack.Facts) error {
	folder := c.run.Path("pki")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	authority, err := pki.NewAuthority(folder, "ca")
	if err != nil {
		return err
	}
	if c.serving, err = authority.Server(folder, "server"); err != nil {
		return err
	}
	facts["ca_file"] = authority.File
	if c.run.Options["mtls"] == "" {
		return nil
	}
	client, err := authority.Client(folder, "client", "tandem-lab-client")
	c.clientCA = authority.File
	facts["client_cert_file"], facts["client_key_file"] = client.Cert, client.Key
	return err
}
