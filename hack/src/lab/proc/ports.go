package proc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Ports are reserved for a lab's whole life, by a lock on a file for each, so
// that a stopped program finds its port free when it starts again. They come
// from below the kernel's ephemeral range, where no outgoing connection and no
// program that listens on port 0 can take them meanwhile.
type Ports struct {
	folder string
	locks  []*Lock
}

// NewPorts keeps its locks in folder, which all labs of this user share.
func NewPorts(folder string) *Ports { return &Ports{folder: folder} }

// Reserve returns a free loopback TCP port.
func (p *Ports) Reserve() (int, error) {
	first, count := portRange()
	for range 1000 {
		port := first + rand.IntN(count)
		if p.take(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d on loopback", first, first+count-1)
}

// Claim reserves the port that the caller asks for.
func (p *Ports) Claim(port int) error {
	if !p.take(port) {
		return fmt.Errorf("port %d on loopback is in use", port)
	}
	return nil
}

func (p *Ports) take(port int) bool {
	lock, err := TryLock(filepath.Join(p.folder, strconv.Itoa(port)))
	if err != nil || lock == nil {
		return false
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		lock.Release()
		return false
	}
	listener.Close()
	p.locks = append(p.locks, lock)
	return true
}

func portRange() (first, count int) {
	const lowest, most = 18000, 14000
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) != 2 {
		return lowest, most
	}
	ephemeral, err := strconv.Atoi(fields[0])
	if err != nil || ephemeral < lowest+2000 {
		return lowest, most
	}
	return lowest, min(most, ephemeral-lowest)
}
