package proc

import (
	"os"
	"strconv"
	"syscall"
)

// Subreaper makes this process the parent of every orphan among its
// descendants, so that a daemon's children cannot slip away.
func Subreaper() error {
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	return nil
}

// Descendants lists the processes below pid, nearest first.
func Descendants(pid int) []ID {
	children := map[int][]ID{}
	for _, other := range all() {
		if s, err := readStat(other); err == nil {
			children[s.parent] = append(children[s.parent], ID{PID: other, Start: s.start})
		}
	}
	found := children[pid]
	for next := 0; next < len(found); next++ {
		found = append(found, children[found[next].PID]...)
	}
	return found
}

// Reaper collects ended children of this process that nobody else waits for:
// those that were adopted.
type Reaper struct {
	ended map[ID]bool
}

// Look collects what had ended at the look before already and keep does not
// claim: whoever waits for a child of their own has collected it by then. It
// says whether something is left for the next look.
func (r *Reaper) Look(keep func(pid int) bool) bool {
	self := os.Getpid()
	ended := map[ID]bool{}
	for _, pid := range all() {
		s, err := readStat(pid)
		if err != nil || s.parent != self || s.state != 'Z' || keep(pid) {
			continue
		}
		id := ID{PID: pid, Start: s.start}
		if !r.ended[id] {
			ended[id] = true
			continue
		}
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	}
	r.ended = ended
	return len(ended) > 0
}

func all() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
