package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hoard is where a leak leads.
var hoard [][]byte

// leak takes memory and never gives it back.
func leak() {
	for {
		piece := make([]byte, 8<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		hoard = append(hoard, piece)
	}
}

// print writes to a descriptor without an end.
func print(fd int, line string) {
	for raw := []byte(line); ; {
		if _, err := unix.Write(fd, raw); err != nil {
			return
		}
	}
}

// printStream writes to the standard output as go-plugin hands it to programs:
// over the connection to the host.
func printStream() {
	for line := strings.Repeat("y", 60<<10) + "\n"; ; {
		if _, err := os.Stdout.WriteString(line); err != nil {
			return
		}
	}
}

// someChildren are far fewer than the limit: at the limit Go's own threads fail.
const someChildren = 32

// fork starts children that wait for ever, and says how many.
func fork() map[string]string {
	children := 0
	for children < someChildren {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			break
		}
		if pid == 0 {
			for {
				_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
		children++
	}
	return map[string]string{"children": strconv.Itoa(children)}
}
