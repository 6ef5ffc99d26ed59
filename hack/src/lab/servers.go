package main

import (
	"context"
	"os"

	"tandemcd.io/hack/lab/programs"
	"tandemcd.io/hack/lab/serve"
)

// server is how one kind is called.
type server struct {
	help    string
	flags   func(f *flags, options *serverFlags)
	prepare func(ctx context.Context) (map[string]string, error)
	needs   []string // flags that must be given
}

// serverFlags are the values of flags, by the names they have as options.
type serverFlags struct {
	text  map[string]*string
	truth map[string]*bool
	keys  *lines
}

func (s *serverFlags) string(f *flags, name, standard, help string) {
	s.text[name] = f.String(name, standard, help)
}

func (s *serverFlags) bool(f *flags, name, help string) { s.truth[name] = f.Bool(name, false, help) }

var servers = map[string]server{
	serve.GitHTTPKind: {
		help: "Serves repositories over HTTP: URL + NAME.git. Prints url, and where they apply\nca_file, client_cert_file, client_key_file, user, password, bearer, access_log.",
		flags: func(f *flags, s *serverFlags) {
			s.string(f, "root", "", "`FOLDER` that holds the repositories")
			s.string(f, "user", "", "ask for this `USER`")
			s.string(f, "password", "", "and this `PASSWORD`")
			s.string(f, "bearer", "", "ask for this bearer `TOKEN`")
			s.bool(f, "tls", "serve HTTPS, with a certificate of an authority of its own")
			s.bool(f, "mtls", "ask for a client certificate as well")
		},
		prepare: func(ctx context.Context) (map[string]string, error) { return serve.GitHTTPOptions(ctx, os.Stderr) },
		needs:   []string{"root"},
	},
	serve.GitSSHKind: {
		help: "Serves repositories over SSH: URL + NAME.git. Prints url, known_hosts (lines),\nknown_hosts_file, host_key_file, access_log.",
		flags: func(f *flags, s *serverFlags) {
			s.string(f, "root", "", "`FOLDER` that holds the repositories")
			s.string(f, "authorized-keys", "", "`FILE` with the public keys that may log in")
			s.string(f, "host-key-type", "ed25519", "`TYPE` of the host key to make: ed25519, ecdsa or rsa")
			s.keys = new(lines)
			f.Var(s.keys, "host-key", "`FILE` with a private host key to use; may be given again")
		},
		prepare: func(ctx context.Context) (map[string]string, error) { return serve.GitSSHOptions(ctx, os.Stderr) },
		needs:   []string{"root", "authorized-keys"},
	},
	serve.HangKind: {
		help: "Serves repositories over HTTP and hangs: half of the pack comes, and no more.\nPrints url; a request to serve_url makes it answer whole from then on, to\nhang_url hang again; hanging_url tells how many requests hang now.",
		flags: func(f *flags, s *serverFlags) {
			s.string(f, "root", "", "`FOLDER` that holds the repositories")
			s.string(f, "at", serve.HangAtPack, "hang at `WHAT`: pack, or refs")
		},
		needs: []string{"root"},
	},
	serve.ProxyKind: {
		help: "A proxy for HTTP and, by CONNECT, for everything else. Prints url, and\naccess_log: a JSON line for each request with method, host and status.",
		flags: func(f *flags, s *serverFlags) {
			s.string(f, "user", "", "ask for this `USER`")
			s.string(f, "password", "", "and this `PASSWORD`")
		},
	},
	serve.GiteaKind: {
		help: "A forge with an administrator. Prints url, ssh_url, user, password, token,\nknown_hosts, known_hosts_file, and with TLS ca_file. Webhooks may go to loopback,\na push to a repository that is not there creates it.",
		flags: func(f *flags, s *serverFlags) {
			s.bool(f, "tls", "serve HTTPS, with a certificate of an authority of its own")
		},
		prepare: prepareGitea,
	},
}

// prepareGitea builds the forge where it is missing.
func prepareGitea(ctx context.Context) (map[string]string, error) {
	wanted, err := programs.Find([]string{serve.GiteaKind})
	if err != nil {
		return nil, err
	}
	cache, err := openCache(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := cache.Ensure(ctx, wanted, os.Stderr); err != nil {
		return nil, err
	}
	binary, err := cache.Path(wanted[0], wanted[0].Name)
	if err != nil {
		return nil, err
	}
	static, err := cache.Path(wanted[0], "static")
	return map[string]string{"gitea": binary, "static": static}, err
}
