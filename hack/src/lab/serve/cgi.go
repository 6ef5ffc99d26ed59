package serve

import (
	"net"
	"net/http"
	"net/http/cgi"
	"os"
)

// CGIKind is the part of a Git server that runs git http-backend.
const CGIKind = "git-cgi"

// userHeader is how nginx names who it let in.
const userHeader = "X-Lab-User"

// ServeCGI runs git http-backend for each request that comes over a socket; it
// returns only with an error. Debian's fcgiwrap does not do: it gives up a
// request where Git answers before it has read all of it (502), and loses a
// part of an answer where a child ends meanwhile.
func ServeCGI(socket, backend, root string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := cgi.Handler{Path: backend, Root: "/", Dir: root, Stderr: os.Stderr, Env: []string{
			"GIT_PROJECT_ROOT=" + root,
			"GIT_HTTP_EXPORT_ALL=",
			// Pushing is allowed, and so are repositories of another user.
			"GIT_CONFIG_COUNT=2",
			"GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
			"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
			"REMOTE_USER=" + r.Header.Get(userHeader),
		}}
		handler.ServeHTTP(w, r)
	}))
}
