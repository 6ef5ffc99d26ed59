package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

// api speaks to the API server as the admin.
type api struct {
	server, token string
	client        *http.Client
}

func newAPI(server, authority, token string) (*api, error) {
	client, err := trusting(authority)
	return &api{server, token, client}, err
}

func trusting(authority string) (*http.Client, error) {
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

// statusError is an answer of the API server that is no success.
type statusError struct {
	code    int
	message string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.message) }

func (a *api) do(ctx context.Context, method, path string, body, into any) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, &sent)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tandem-lab")
	reply, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.StatusCode >= 300 {
		return &statusError{reply.StatusCode, string(text[:min(len(text), 300)])}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// serves returns nil once the server answers, ready or not.
func (a *api) serves(ctx context.Context) error {
	return a.do(ctx, http.MethodGet, "/livez/ping", nil, nil)
}

// ready returns nil once the server has all that a client expects of it.
func (a *api) ready(ctx context.Context) error { return a.do(ctx, http.MethodGet, "/readyz", nil, nil) }

// plainOK checks a health page without TLS.
func plainOK(url string) func(context.Context) error {
	return func(ctx context.Context) error { return pageOK(ctx, http.DefaultClient, url) }
}

// tlsOK checks a health page behind the lab's own certificate.
func (p *plane) tlsOK(port int, path string) func(context.Context) error {
	url := "https://127.0.0.1:" + strconv.Itoa(port) + path
	return func(ctx context.Context) error { return pageOK(ctx, p.api.client, url) }
}

func pageOK(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(reply.Body, 300))
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", url, reply.StatusCode, text)
	}
	return nil
}
