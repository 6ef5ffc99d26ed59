package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Program says how to run one program of a stack.
type Program struct {
	Name string
	Argv []string
	Env  []string // beside PATH, HOME and TMPDIR
	// Ready returns nil as soon as the program does its work.
	Ready func(context.Context) error
	// Hint is added where the program fails.
	Hint string
}

// part is a Program with its process, which may end and start again.
type part struct {
	Program
	log string

	mutex  sync.Mutex
	id     proc.ID
	state  string
	exited chan struct{}
}

// starter starts every child from one thread that lives as long as this
// process: the kernel delivers a parent-death signal when the thread that
// forked ends, not when its process does.
var starter = func() chan func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
}()

func onStarter(job func() error) error {
	done := make(chan error)
	starter <- func() { done <- job() }
	return <-done
}

// start runs the program; its output is appended to its log.
func (p *part) start(dir string) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(p.Argv[0], p.Argv[1:]...)
	command.Dir = dir
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp"),
	}, p.Env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := onStarter(command.Start); err != nil {
		return err
	}
	id, err := proc.Of(command.Process.Pid)
	if err != nil {
		return err
	}
	p.id, p.state, p.exited = id, "running", make(chan struct{})
	go p.wait(command, p.exited)
	return nil
}

func (p *part) wait(command *exec.Cmd, exited chan struct{}) {
	_ = command.Wait()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.state == "stopping" {
		p.state = "stopped"
	} else {
		p.state = command.ProcessState.String() // "exit status 1", "signal: killed"
	}
	close(exited)
}

func (p *part) look() (state string, id proc.ID, exited chan struct{}) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.state, p.id, p.exited
}

func (p *part) running() bool {
	state, _, _ := p.look()
	return state == "running" || state == "paused" || state == "stopping"
}

// await polls check until it succeeds, the program ends or time is up.
func (p *part) await(ctx context.Context, check func(context.Context) error, limit time.Duration) error {
	if check == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, _, exited := p.look()
	var last error
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		err := check(try)
		stop()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-exited:
			state, _, _ := p.look()
			return p.failure(fmt.Errorf("ended (%s)", state))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return p.failure(fmt.Errorf("not ready after %s: %w", limit, last))
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// signal sends a signal and, where it ends the program, waits for that.
func (p *part) signal(sig syscall.Signal, limit time.Duration) error {
	if !p.running() {
		return nil
	}
	p.mutex.Lock()
	id, exited := p.id, p.exited
	switch sig {
	case syscall.SIGSTOP:
		p.state = "paused"
	case syscall.SIGCONT:
		p.state = "running"
	default:
		p.state = "stopping"
	}
	p.mutex.Unlock()
	if err := id.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if sig == syscall.SIGSTOP || sig == syscall.SIGCONT {
		return nil
	}
	select {
	case <-exited:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s still runs %s after %s; stop it with --signal KILL", p.Name, limit, sig)
	}
}

// Failure is a program that did not do its work, with the end of its log.
type Failure struct {
	Program string   `json:"program"`
	Problem string   `json:"problem"`
	Log     string   `json:"log"`
	Tail    []string `json:"tail"`
	Hint    string   `json:"hint,omitempty"`
}

func (f *Failure) Error() string { return f.Program + ": " + f.Problem }

func (p *part) failure(problem error) error {
	return &Failure{Program: p.Name, Problem: problem.Error(), Log: p.log, Tail: Tail(p.log, 20), Hint: p.Hint}
}
