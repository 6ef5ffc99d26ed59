package stack

import (
	"os"
	"strings"
)

// Tail returns the last lines of a log, the most telling part when a program
// fails. A missing log has none.
func Tail(path string, lines int) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	const most = 16 << 10
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	text := make([]byte, min(info.Size(), most))
	if _, err := file.ReadAt(text, info.Size()-int64(len(text))); err != nil {
		return nil
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return all[max(0, len(all)-lines):]
}
