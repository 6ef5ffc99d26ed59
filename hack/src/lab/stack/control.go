package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// serve answers on the stack's socket: what is running, stop it, stop or start
// one program of it.
func (s *supervisor) serve(listener net.Listener) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.status())
	})
	routes.HandleFunc("POST /down", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		go s.end("asked to")
	})
	routes.HandleFunc("POST /stop/{part}", s.onPart(stopPart))
	routes.HandleFunc("POST /start/{part}", s.onPart(s.startPart))
	server := http.Server{Handler: routes}
	_ = server.Serve(listener)
}

func (s *supervisor) onPart(act func(*http.Request, *part) error) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		p := s.run.part(request.PathValue("part"))
		if p == nil {
			names := ""
			for _, known := range s.run.list() {
				names += " " + known.Name
			}
			http.Error(w, fmt.Sprintf("%s has no program %q; it has:%s", s.run.Name, request.PathValue("part"), names), http.StatusNotFound)
			return
		}
		err := act(request, p)
		if failure, ok := err.(*Failure); ok {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(failure)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "INT": syscall.SIGINT, "STOP": syscall.SIGSTOP,
}

// SignalNames are what stop understands.
const SignalNames = "TERM, KILL, INT or STOP"

func stopPart(request *http.Request, p *part) error {
	sig, known := signals[request.FormValue("signal")]
	if !known {
		return fmt.Errorf("unknown signal %q: %s", request.FormValue("signal"), SignalNames)
	}
	return p.signal(sig, time.Minute)
}

// startPart runs a program again, with the arguments, ports and data it had,
// and returns when it is ready.
func (s *supervisor) startPart(request *http.Request, p *part) error {
	state, _, _ := p.look()
	if state == "paused" {
		if err := p.signal(syscall.SIGCONT, 0); err != nil {
			return err
		}
	} else if !p.running() {
		if err := p.start(s.run.Dir); err != nil {
			return err
		}
		s.run.keepRecord()
	}
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	return p.await(ctx, p.Ready, startLimit)
}
