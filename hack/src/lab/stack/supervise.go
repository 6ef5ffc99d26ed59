package stack

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// reapAfter is how long whoever waits for a child of their own, such as a
// program that a server needs to start, has to collect it.
const reapAfter = 2 * time.Second

// supervisor owns the processes of one stack until somebody asks it to stop,
// its owner ends, or it is told to by a signal.
type supervisor struct {
	run    *Run
	cancel context.CancelFunc
	ended  chan struct{} // closed when the stack is to be taken down

	mutex sync.Mutex
	state State
	facts Facts
	once  sync.Once
}

// Supervise runs the stack in dir and returns when nothing of it is left.
// Progress is told on file descriptor 3.
func Supervise(dir string, kinds map[string]Kind) error {
	closeInherited()
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	log.SetOutput(os.Stderr)
	if err := proc.Subreaper(); err != nil {
		return err
	}
	var spec Spec
	if err := readJSON(filepath.Join(dir, specFile), &spec); err != nil {
		return err
	}
	asker := os.NewFile(3, "progress")
	telling := json.NewEncoder(asker)
	ctx, cancel := context.WithCancel(context.Background())
	run := &Run{
		Spec: spec, Dir: dir, began: time.Now(),
		Ports: proc.NewPorts(filepath.Join(filepath.Dir(dir), "ports")),
		tell:  func(e Event) { _ = telling.Encode(e) },
	}
	s := &supervisor{run: run, cancel: cancel, state: Starting, ended: make(chan struct{})}
	run.keepRecord()
	listener, err := net.Listen("unix", filepath.Join(dir, socketFile))
	if err != nil {
		return err
	}
	go s.serve(listener)
	go s.watchOwner(ctx)
	go s.watchSignals()
	go s.watchAsker(asker)

	failure := s.build(ctx, kinds)
	if failure == nil {
		asker.Close()
		<-s.ended
	}
	s.takeDown()
	if failure != nil && spec.Owner == (proc.ID{}) && !s.asked() {
		// Somebody at a terminal wants to read the logs; the next up or down
		// of this name removes them.
		return nil
	}
	return os.RemoveAll(dir)
}

// build starts the stack. A failure has been told when it returns.
func (s *supervisor) build(ctx context.Context, kinds map[string]Kind) error {
	kind, known := kinds[s.run.Kind]
	if !known {
		return errors.New("unknown kind " + s.run.Kind)
	}
	err := os.MkdirAll(s.run.Path("tmp"), 0o700)
	if err == nil {
		err = os.MkdirAll(s.run.Path("log"), 0o700)
	}
	var facts Facts
	if err == nil {
		facts, err = kind(ctx, s.run)
	}
	if err == nil {
		s.mutex.Lock()
		s.state, s.facts = Ready, facts
		s.mutex.Unlock()
		status := s.status()
		s.run.tell(Event{Ready: &status})
		return nil
	}
	log.Printf("not started: %v", err)
	var failure *Failure
	if !errors.As(err, &failure) {
		failure = &Failure{Program: s.run.Name, Problem: err.Error(), Log: s.run.Path(supervisorLog)}
	}
	s.takeDown()
	s.run.tell(Event{Failure: failure})
	return failure
}

// end asks for the stack to be taken down; it may be called any number of times.
func (s *supervisor) end(why string) {
	s.once.Do(func() {
		log.Printf("stopping: %s", why)
		s.mutex.Lock()
		s.state = Stopping
		s.mutex.Unlock()
		close(s.ended)
		s.cancel()
	})
}

func (s *supervisor) asked() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// takeDown ends every process of the stack at once: its data goes with it, so
// nobody needs the time for a graceful end.
func (s *supervisor) takeDown() {
	s.cancel()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		left := proc.Descendants(os.Getpid())
		alive := 0
		for _, id := range left {
			if id.Alive() {
				alive++
				_ = id.Signal(syscall.SIGKILL)
			}
		}
		if alive == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	log.Printf("some processes do not end: %v", proc.Descendants(os.Getpid()))
}

func (s *supervisor) watchOwner(ctx context.Context) {
	if s.run.Owner == (proc.ID{}) {
		return
	}
	if err := s.run.Owner.Wait(ctx); err == nil {
		s.end("process " + strconv.Itoa(s.run.Owner.PID) + ", which this belongs to, has ended")
	}
}

// watchAsker stops a half-started stack when the command that asked for it
// has gone.
func (s *supervisor) watchAsker(asker io.Reader) {
	_, _ = io.Copy(io.Discard, asker)
	s.mutex.Lock()
	starting := s.state == Starting
	s.mutex.Unlock()
	if starting {
		s.end("interrupted while starting")
	}
}

func (s *supervisor) watchSignals() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGCHLD)
	var reaper proc.Reaper
	var look <-chan time.Time
	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGCHLD {
				s.end("received " + sig.String())
			} else if look == nil {
				look = time.After(reapAfter)
			}
		case <-look:
			look = nil
			if reaper.Look(s.owns) {
				look = time.After(reapAfter)
			}
		}
	}
}

func (s *supervisor) owns(pid int) bool {
	for _, p := range s.run.each() {
		if _, id, _ := p.look(); id.PID == pid {
			return true
		}
	}
	return false
}

func (s *supervisor) status() Status {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	self, _ := proc.Of(os.Getpid())
	return Status{
		Spec: s.run.Spec, State: s.state, Dir: s.run.Dir,
		Supervisor: self, Parts: s.run.list(), Facts: s.facts,
	}
}

// closeInherited closes what the caller of the command left open: a pipe that
// a test reads to its end must not stay open as long as the lab runs.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= 3 {
			continue
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			_ = syscall.Close(fd)
		}
	}
	syscall.CloseOnExec(3)
}
