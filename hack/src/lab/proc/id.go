// Package proc knows processes, locks and ports of this machine, and nothing
// of what the lab does with them.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// ID names one process for ever: process ids are reused, a process id with its
// start time is not.
type ID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
}

// stat is what the lab reads of /proc/PID/stat.
type stat struct {
	state  byte
	parent int
	start  uint64
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in parentheses and may hold
	// anything, spaces and parentheses included: read on after the last one.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat: too few fields", pid)
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return stat{}, err
	}
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return stat{}, err
	}
	return stat{state: fields[0][0], parent: parent, start: start}, nil
}

// Of identifies a running process.
func Of(pid int) (ID, error) {
	s, err := readStat(pid)
	if err != nil {
		return ID{}, fmt.Errorf("there is no process %d", pid)
	}
	return ID{PID: pid, Start: s.start}, nil
}

// Alive says whether this very process still runs. A zombie does not.
func (id ID) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	s, err := readStat(id.PID)
	return err == nil && s.start == id.Start && s.state != 'Z' && s.state != 'X'
}

// Signal sends a signal to this very process, and to no other that was given
// its number since: the process is held by a descriptor before its start time
// is compared.
func (id ID) Signal(sig syscall.Signal) error {
	fd, err := pidfdOpen(id.PID)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if !id.Alive() {
		return os.ErrProcessDone
	}
	_, _, errno := syscall.Syscall6(sysPidfdSendSignal, uintptr(fd), uintptr(sig), 0, 0, 0, 0)
	if errno == syscall.ESRCH {
		return os.ErrProcessDone
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// Wait returns nil when this process has ended, and the context's error when
// that comes first. The process need not be a child.
func (id ID) Wait(ctx context.Context) error {
	fd, err := pidfdOpen(id.PID)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	for id.Alive() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if pollReadable(fd, 500*time.Millisecond) {
			return nil
		}
	}
	return nil
}

// The same numbers on every architecture of Linux.
const (
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
)

func pidfdOpen(pid int) (int, error) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func pollReadable(fd int, limit time.Duration) bool {
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: 1}
	wait := syscall.NsecToTimespec(limit.Nanoseconds())
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1,
		uintptr(unsafe.Pointer(&wait)), 0, 0, 0)
	return n == 1
}
