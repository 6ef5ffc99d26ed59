package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Look tells what a stack does. The error is os.ErrNotExist where there is
// none of this name.
func Look(name string) (Status, error) {
	root, err := Root()
	if err != nil {
		return Status{}, err
	}
	dir := filepath.Join(root, name)
	var spec Spec
	if err := readJSON(filepath.Join(dir, specFile), &spec); err != nil {
		return Status{}, err
	}
	status := Status{Spec: spec, State: Dead, Dir: dir}
	var kept record
	_ = readJSON(filepath.Join(dir, recordFile), &kept)
	status.Supervisor = kept.Supervisor
	if !kept.Supervisor.Alive() {
		return status, nil
	}
	status.State = Starting
	reply, err := ask(dir, http.MethodGet, "/status", 10*time.Second)
	if err != nil {
		return status, nil // it has not opened its socket yet, or just closed it
	}
	return status, json.Unmarshal(reply, &status)
}

// Down stops a stack and removes its data. False says that there was nothing.
func Down(name string) (bool, error) {
	root, err := Root()
	if err != nil {
		return false, err
	}
	status, err := Look(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if status.State != Dead {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := ask(status.Dir, http.MethodPost, "/down", 10*time.Second); err != nil {
			_ = status.Supervisor.Signal(syscall.SIGTERM)
		}
		if status.Supervisor.Wait(ctx) != nil {
			_ = status.Supervisor.Signal(syscall.SIGKILL)
		}
	}
	lock, err := proc.WaitLock(filepath.Join(root, ".lock"))
	if err != nil {
		return false, err
	}
	defer lock.Release()
	if left, err := Look(name); err == nil && left.State == Dead {
		bury(left)
	}
	return true, nil
}

// Stop ends, or pauses, one program of a stack.
func Stop(name, part, signal string) error {
	return command(name, "/stop/"+url.PathEscape(part)+"?signal="+url.QueryEscape(signal))
}

// Start runs one program of a stack again and waits until it is ready.
func Start(name, part string) error {
	return command(name, "/start/"+url.PathEscape(part))
}

func command(name, path string) error {
	status, err := Look(name)
	if errors.Is(err, os.ErrNotExist) || (err == nil && status.State == Dead) {
		return fmt.Errorf("no lab %q is running", name)
	}
	if err != nil {
		return err
	}
	_, err = ask(status.Dir, http.MethodPost, path, startLimit+time.Minute)
	return err
}

func ask(dir, method, path string, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, socketFile))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, nil)
	if err != nil {
		return nil, err
	}
	reply, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	if reply.StatusCode == http.StatusUnprocessableEntity {
		failure := &Failure{}
		if err := json.Unmarshal(text, failure); err != nil {
			return nil, err
		}
		return nil, failure
	}
	if reply.StatusCode >= 300 {
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return text, nil
}

// bury removes what a dead supervisor left: its children, where they still
// live and are still the ones it started, and its folder.
func bury(status Status) {
	var kept record
	_ = readJSON(filepath.Join(status.Dir, recordFile), &kept)
	for _, child := range kept.Children {
		for _, id := range append(proc.Descendants(child.PID), child) {
			if child.Alive() {
				_ = id.Signal(syscall.SIGKILL)
			}
		}
	}
	_ = os.RemoveAll(status.Dir)
}

// sweep removes what dead stacks left that belonged to a process which has
// ended: nobody will come back for their logs.
func sweep() {
	names, err := Names()
	if err != nil {
		return
	}
	for _, name := range names {
		status, err := Look(name)
		if err == nil && status.State == Dead && status.Owner != (proc.ID{}) && !status.Owner.Alive() {
			bury(status)
		}
	}
}
