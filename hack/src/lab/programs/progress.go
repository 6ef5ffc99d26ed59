package programs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress reads what `go build -v` says, counts the packages that it compiled
// and tells now and then how far it is.
type progress struct {
	tell     io.Writer
	terminal bool
	began    time.Time
	cold     time.Duration

	mutex    sync.Mutex
	rest     []byte
	packages int
	last     string
	kept     []string // everything that is not a package's name: errors
	done     chan struct{}
	idle     sync.WaitGroup
}

func newProgress(tell io.Writer, cold time.Duration) *progress {
	p := &progress{tell: tell, began: time.Now(), cold: cold, done: make(chan struct{})}
	if file, ok := tell.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	p.idle.Go(p.show)
	return p
}

func (p *progress) Write(text []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.rest = append(p.rest, text...)
	for {
		end := bytes.IndexByte(p.rest, '\n')
		if end < 0 {
			return len(text), nil
		}
		line := string(p.rest[:end])
		p.rest = p.rest[end+1:]
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			p.last = strings.TrimPrefix(line, "go: ")
		case strings.ContainsAny(line, " :#"):
			p.kept = append(p.kept, line)
		default:
			p.packages++
			p.last = line
		}
	}
}

func (p *progress) show() {
	every := 30 * time.Second
	if p.terminal {
		every = 500 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			if p.terminal {
				fmt.Fprint(p.tell, "\r\033[K")
			}
			return
		case <-tick.C:
			p.mutex.Lock()
			line := fmt.Sprintf("  %s · %d packages compiled · %s", told(time.Since(p.began), p.cold), p.packages, p.last)
			p.mutex.Unlock()
			if p.terminal {
				fmt.Fprintf(p.tell, "\r\033[K%.100s", line)
			} else {
				fmt.Fprintln(p.tell, line)
			}
		}
	}
}

// told says how long something has taken, and what was expected: a slower machine, or one with other work, takes longer.
func told(taken, expected time.Duration) string {
	taken, expected = taken.Round(time.Second), expected.Round(5*time.Second)
	if taken > expected {
		return fmt.Sprintf("%s, longer than the %s of two free cores", taken, expected)
	}
	return fmt.Sprintf("%s of about %s", taken, expected)
}

func (p *progress) finish() {
	close(p.done)
	p.idle.Wait()
}

// said is the end of what the compiler said beside the names of packages.
func (p *progress) said() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return strings.Join(p.kept[max(0, len(p.kept)-30):], "\n")
}
