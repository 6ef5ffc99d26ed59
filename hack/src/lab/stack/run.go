package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandemcd.io/hack/lab/proc"
)

// Kind builds one kind of stack: it starts the programs through run and
// returns what a client needs once everything works.
type Kind func(ctx context.Context, run *Run) (Facts, error)

// Run is a stack while it is built and while it runs.
type Run struct {
	Spec
	Dir   string
	Ports *proc.Ports

	began time.Time
	tell  func(Event)

	mutex sync.Mutex
	parts []*part
}

// Event is what the supervisor tells the command that started it.
type Event struct {
	Step    string        `json:"step,omitempty"`
	Took    time.Duration `json:"took,omitempty"` // since the stack began
	Ready   *Status       `json:"ready,omitempty"`
	Failure *Failure      `json:"failure,omitempty"`
}

// startLimit is generous: on a loaded machine with two cores and many labs a
// start takes many times what it takes alone.
const startLimit = 3 * time.Minute

// Step tells that something is done.
func (r *Run) Step(format string, args ...any) {
	r.tell(Event{Step: fmt.Sprintf(format, args...), Took: time.Since(r.began)})
}

// Path names a file in the stack's folder.
func (r *Run) Path(name string) string { return filepath.Join(r.Dir, name) }

// Write writes a file into the stack's folder and returns its path.
func (r *Run) Write(name, content string) (string, error) {
	path := r.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(content), 0o600)
}

// Start runs a program and does not wait until it is ready.
func (r *Run) Start(program Program) error {
	p := &part{Program: program, log: r.Path("log/" + program.Name + ".log")}
	if err := p.start(r.Dir); err != nil {
		return &Failure{Program: program.Name, Problem: err.Error(), Hint: program.Hint}
	}
	r.mutex.Lock()
	r.parts = append(r.parts, p)
	r.mutex.Unlock()
	r.keepRecord()
	return nil
}

// Await waits until a started program is ready and tells the step.
func (r *Run) Await(ctx context.Context, name string) error {
	p := r.part(name)
	if err := p.await(ctx, p.Ready, startLimit); err != nil {
		return err
	}
	r.Step("%s", name)
	return nil
}

// AwaitUntil waits for less than a program's readiness: until check succeeds.
func (r *Run) AwaitUntil(ctx context.Context, name string, check func(context.Context) error) error {
	return r.part(name).await(ctx, check, startLimit)
}

// StartAndAwait runs one program and waits until it is ready.
func (r *Run) StartAndAwait(ctx context.Context, program Program) error {
	if err := r.Start(program); err != nil {
		return err
	}
	return r.Await(ctx, program.Name)
}

// Blame makes a failure of something that a program should have brought about.
func (r *Run) Blame(name string, problem error) error {
	if p := r.part(name); p != nil {
		return p.failure(problem)
	}
	return problem
}

func (r *Run) part(name string) *part {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, p := range r.parts {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (r *Run) each() []*part {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]*part(nil), r.parts...)
}

// keepRecord writes down whose processes these are, for the case that nobody
// is left to ask.
func (r *Run) keepRecord() {
	self, err := proc.Of(os.Getpid())
	if err != nil {
		return
	}
	kept := record{Supervisor: self}
	for _, p := range r.each() {
		_, id, _ := p.look()
		kept.Children = append(kept.Children, id)
	}
	_ = writeJSON(r.Path(recordFile), kept)
}

func (r *Run) list() []Part {
	var parts []Part
	for _, p := range r.each() {
		state, id, _ := p.look()
		parts = append(parts, Part{Name: p.Name, State: state, ID: id, Log: p.log})
	}
	return parts
}

// Poll tries until try succeeds or the context ends; then it returns the last
// error of try.
func Poll(ctx context.Context, every time.Duration, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}
