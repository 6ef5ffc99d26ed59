package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func sleeper(t *testing.T) (*exec.Cmd, ID) {
	t.Helper()
	command := exec.Command("sleep", "600")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	id, err := Of(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return command, id
}

func TestSignalSparesAReusedNumber(t *testing.T) {
	_, id := sleeper(t)
	earlier := ID{PID: id.PID, Start: id.Start - 1}
	if earlier.Alive() {
		t.Error("a process of another start time passes for this one")
	}
	if err := earlier.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to an earlier process: %v", err)
	}
	if !id.Alive() {
		t.Error("the wrong process was killed")
	}
}

func TestWaitSeesTheEnd(t *testing.T) {
	_, id := sleeper(t)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := id.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a living process was waited for: %v", err)
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// It stays a zombie, which counts as ended.
	if err := id.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDescendants(t *testing.T) {
	_, id := sleeper(t)
	for _, found := range Descendants(os.Getpid()) {
		if found == id {
			return
		}
	}
	t.Error("a child is not among the descendants")
}

func TestPortsAreReservedOnce(t *testing.T) {
	folder := t.TempDir()
	first := NewPorts(folder)
	port, err := first.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	if NewPorts(folder).Claim(port) == nil {
		t.Error("a reserved port was given away")
	}
}

func TestLockIsHeldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := TryLock(path)
	if err != nil || held == nil {
		t.Fatal(held, err)
	}
	if second, err := TryLock(path); err != nil || second != nil {
		t.Error("a held lock was taken", err)
	}
	held.Release()
	if again, err := TryLock(path); err != nil || again == nil {
		t.Error("a released lock is still held", err)
	}
}
