package serve

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"tandemcd.io/hack/lab/stack"
)

// Hang serves the repositories below a folder over smart HTTP and hangs in the
// middle of every pack, until it is told to serve them whole.
func Hang(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	port, err := reserve(run)
	if err != nil {
		return nil, err
	}
	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	facts := stack.Facts{
		"url": "http://" + listen + "/", "port": strconv.Itoa(port), "root": run.Options["root"],
		"hang_url": "http://" + listen + "/-/hang", "serve_url": "http://" + listen + "/-/serve",
		"hanging_url": "http://" + listen + "/-/hanging",
	}
	return facts, run.StartAndAwait(ctx, stack.Program{
		Name:  HangKind,
		Argv:  []string{run.Options["self"], "child", HangKind, listen, run.Options["root"], run.Options["at"]},
		Ready: answers(facts["hanging_url"]),
	})
}

// Where a request can hang.
const (
	HangAtRefs = "refs" // before the first byte of the refs
	HangAtPack = "pack" // in the middle of the pack
)

type hangServer struct {
	root    string
	at      atomic.Value // string; empty: nowhere
	hanging atomic.Int64 // how many requests hang now
}

// ServeHang runs the server; it returns only with an error.
func ServeHang(listen, root, at string) error {
	h := &hangServer{root: root}
	h.at.Store(at)
	routes := http.NewServeMux()
	routes.HandleFunc("/-/serve", func(http.ResponseWriter, *http.Request) { h.at.Store("") })
	routes.HandleFunc("/-/hang", func(_ http.ResponseWriter, r *http.Request) {
		if at := r.FormValue("at"); at != "" {
			h.at.Store(at)
		} else {
			h.at.Store(HangAtPack)
		}
	})
	routes.HandleFunc("/-/hanging", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, h.hanging.Load())
	})
	routes.HandleFunc("/", h.git)
	return http.ListenAndServe(listen, routes)
}

func (h *hangServer) git(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/info/refs") && r.FormValue("service") == "git-upload-pack":
		if h.at.Load() == HangAtRefs {
			h.hang(r)
			return
		}
		h.refs(w, r, strings.TrimSuffix(r.URL.Path, "/info/refs"))
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		h.pack(w, r, strings.TrimSuffix(r.URL.Path, "/git-upload-pack"))
	default:
		http.NotFound(w, r)
	}
}

// hang waits until the client has had enough.
func (h *hangServer) hang(r *http.Request) {
	h.hanging.Add(1)
	defer h.hanging.Add(-1)
	<-r.Context().Done()
}

func (h *hangServer) refs(w http.ResponseWriter, r *http.Request, repository string) {
	refs, err := h.uploadPack(r, repository, nil, "--http-backend-info-refs")
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	w.Header().Set("Cache-Control", "no-cache")
	if !strings.Contains(r.Header.Get("Git-Protocol"), "version=2") {
		const service = "# service=git-upload-pack\n"
		fmt.Fprintf(w, "%04x%s0000", len(service)+4, service)
	}
	_, _ = w.Write(refs)
}

func (h *hangServer) pack(w http.ResponseWriter, r *http.Request, repository string) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = plain
	}
	answer, err := h.uploadPack(r, repository, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	w.Header().Set("Cache-Control", "no-cache")
	begin := bytes.Index(answer, []byte("PACK"))
	if begin < 0 || h.at.Load() != HangAtPack {
		_, _ = w.Write(answer)
		return
	}
	_, _ = w.Write(answer[:begin+(len(answer)-begin)/2])
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	h.hang(r)
}

// uploadPack asks Git itself for the answer to one request.
func (h *hangServer) uploadPack(r *http.Request, repository string, body io.Reader, flags ...string) ([]byte, error) {
	folder := filepath.Join(h.root, path.Clean("/"+repository))
	arguments := append([]string{"-c", "safe.directory=*", "upload-pack", "--stateless-rpc"}, flags...)
	command := exec.CommandContext(r.Context(), "git", append(arguments, folder)...)
	command.Env = append(os.Environ(), "GIT_PROTOCOL="+r.Header.Get("Git-Protocol"))
	command.Stdin = body
	answer, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return answer, err
}
