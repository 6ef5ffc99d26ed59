package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Launch starts a stack and returns when it is ready, or tells why it is not.
// Where one of this name already runs, that one is returned and fresh is false.
// The supervisor is this same program, called as `supervise FOLDER`.
func Launch(ctx context.Context, spec Spec, onStep func(Event)) (status Status, fresh bool, err error) {
	root, err := Root()
	if err != nil {
		return Status{}, false, err
	}
	for {
		status, err := claim(root, spec)
		if err != nil {
			return Status{}, false, err
		}
		switch status.State {
		case Ready:
			return status, false, nil
		case Starting, Stopping: // somebody else is at it
			select {
			case <-ctx.Done():
				return Status{}, false, errInterrupted
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		status, err = supervised(ctx, filepath.Join(root, spec.Name), onStep)
		return status, true, err
	}
}

// claim makes the stack's folder where no living stack has it. The zero Status
// says that it is ours now.
func claim(root string, spec Spec) (Status, error) {
	lock, err := proc.WaitLock(filepath.Join(root, ".lock"))
	if err != nil {
		return Status{}, err
	}
	defer lock.Release()
	sweep()
	status, err := Look(spec.Name)
	if err == nil && status.State != Dead {
		return status, nil
	}
	if err == nil {
		bury(status)
	} else if !errors.Is(err, os.ErrNotExist) {
		return Status{}, err
	}
	dir := filepath.Join(root, spec.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Status{}, err
	}
	self, err := proc.Of(os.Getpid())
	if err != nil {
		return Status{}, err
	}
	// Until the supervisor writes its own, this process stands in the record,
	// so that nobody takes the folder for a dead one.
	if err := writeJSON(filepath.Join(dir, recordFile), record{Supervisor: self}); err != nil {
		return Status{}, err
	}
	return Status{}, writeJSON(filepath.Join(dir, specFile), spec)
}

var errInterrupted = errors.New("interrupted, and stopped what was started")

func supervised(ctx context.Context, dir string, onStep func(Event)) (Status, error) {
	self, err := os.Executable()
	if err != nil {
		return Status{}, err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return Status{}, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "progress"), os.NewFile(uintptr(pair[1]), "progress")
	defer ours.Close()
	logPath := filepath.Join(dir, supervisorLog)
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return Status{}, err
	}
	defer log.Close()
	command := exec.Command(self, "supervise", dir)
	command.Dir = dir
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{theirs}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	theirs.Close()
	if err != nil {
		return Status{}, err
	}
	// The supervisor stops when nobody listens any more while it starts.
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	events := json.NewDecoder(ours)
	for {
		var event Event
		if err := events.Decode(&event); err != nil {
			_ = command.Wait()
			if ctx.Err() != nil {
				return Status{}, errInterrupted
			}
			if errors.Is(err, io.EOF) {
				return Status{}, &Failure{
					Program: "supervisor", Problem: "ended (" + command.ProcessState.String() + ")",
					Log: logPath, Tail: Tail(logPath, 20),
				}
			}
			return Status{}, fmt.Errorf("supervisor: %w", err)
		}
		switch {
		case event.Ready != nil:
			return *event.Ready, command.Process.Release()
		case event.Failure != nil:
			// Its processes are gone already; wait until the folder is settled.
			_ = command.Wait()
			return Status{}, event.Failure
		default:
			onStep(event)
		}
	}
}
