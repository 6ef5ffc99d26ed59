package proc

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Lock is a lock on a file, held by this process until it is released or the
// process ends, however it ends.
type Lock struct{ file *os.File }

// TryLock takes the lock on a file, made where it is missing. A nil lock
// without an error says that somebody else holds it.
func TryLock(path string) (*Lock, error) {
	return lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
}

// WaitLock takes the lock on a file and waits for it as long as it takes.
func WaitLock(path string) (*Lock, error) {
	return lock(path, syscall.LOCK_EX)
}

func lock(path string, how int) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	return &Lock{file}, nil
}

// Release gives the lock back. The file stays: to remove it would let two
// processes lock two files of one name.
func (l *Lock) Release() { l.file.Close() }
