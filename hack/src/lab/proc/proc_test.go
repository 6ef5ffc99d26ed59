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

// What a program that was run leaves until its Wait is never taken from it,
// and what nobody waits for is gone after two looks.
func TestReaperLeavesWhatIsWaitedFor(t *testing.T) {
	none := func(int) bool { return false }
	var reaper Reaper
	for range 20 {
		command := exec.Command("true")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			if s, err := readStat(command.Process.Pid); err != nil || s.state == 'Z' {
				break
			}
		}
		if !reaper.Look(none) {
			t.Fatal("it has ended, and is not seen")
		}
		if err := command.Wait(); err != nil {
			t.Fatalf("it was taken away: %v", err)
		}
		if reaper.Look(none) {
			t.Fatal("it was collected, and is seen")
		}
	}
	left := exec.Command("true")
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if s, err := readStat(left.Process.Pid); err != nil || s.state == 'Z' {
			break
		}
	}
	if reaper.Look(func(pid int) bool { return pid == left.Process.Pid }) {
		t.Fatal("what is kept is looked at")
	}
	reaper.Look(none)
	reaper.Look(none)
	if _, err := readStat(left.Process.Pid); err == nil {
		t.Fatal("nobody waits for it, and it is there")
	}
	if err := left.Wait(); err == nil {
		t.Fatal("it was collected twice")
	}
}
