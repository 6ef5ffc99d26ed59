package serve

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"sync"
	"time"

	"tandemcd.io/hack/lab/stack"
)

// Proxy is an HTTP proxy that writes down which hosts it is asked for.
func Proxy(ctx context.Context, run *stack.Run) (stack.Facts, error) {
	port, err := reserve(run)
	if err != nil {
		return nil, err
	}
	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	facts := stack.Facts{
		"url": "http://" + listen, "port": strconv.Itoa(port), "access_log": run.Path("access.log"),
	}
	if run.Options["user"] != "" {
		facts["user"], facts["password"] = run.Options["user"], run.Options["password"]
	}
	return facts, run.StartAndAwait(ctx, stack.Program{
		Name:  ProxyKind,
		Argv:  []string{run.Options["self"], "child", ProxyKind, listen, facts["access_log"], run.Options["user"], run.Options["password"]},
		Ready: answers(facts["url"] + "/-/ready"),
	})
}

type proxyServer struct {
	expect string // the value of Proxy-Authorization; empty: none is asked for
	mutex  sync.Mutex
	log    io.Writer
	plain  httputil.ReverseProxy
}

// ServeProxy runs the proxy; it returns only with an error.
func ServeProxy(listen, log, user, password string) error {
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	p := &proxyServer{log: file, plain: httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.Header.Del("Proxy-Authorization") },
		FlushInterval: -1,
	}}
	if user != "" {
		p.expect = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	return http.ListenAndServe(listen, p)
}

func (p *proxyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect && r.URL.Host == "" {
		http.Error(w, "this is a proxy", http.StatusBadRequest)
		return
	}
	if p.expect != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Proxy-Authorization")), []byte(p.expect)) != 1 {
		p.note(r, http.StatusProxyAuthRequired)
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	p.note(r, http.StatusOK)
	if r.Method == http.MethodConnect {
		tunnel(w, r)
		return
	}
	p.plain.ServeHTTP(w, r)
}

// note writes down what was asked for, and how the proxy itself took it.
func (p *proxyServer) note(r *http.Request, status int) {
	line, err := json.Marshal(map[string]any{
		"time": time.Now().Format(time.RFC3339Nano), "method": r.Method, "host": r.Host, "status": status,
	})
	if err != nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, _ = p.log.Write(append(line, '\n'))
}

func tunnel(w http.ResponseWriter, r *http.Request) {
	far, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	pass := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		ended <- struct{}{}
	}
	go pass(far, buffered)
	go pass(near, far)
	<-ended
	<-ended
}
