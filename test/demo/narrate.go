package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// narrator tells the person at the terminal what happens, as it happens.
type narrator struct {
	out   io.Writer
	step  int
	began time.Time
	done  []line
	pics  []string
}

type line struct {
	title string
	took  time.Duration
}

// Step announces title, runs do, and tells what was proven and how long it
// took. do adds proofs by calling tell.
func (n *narrator) Step(title string, do func(tell func(format string, args ...any)) error) error {
	n.step++
	fmt.Fprintf(n.out, "\n%2d. %s\n", n.step, title)
	start := time.Now()
	err := do(func(format string, args ...any) { fmt.Fprintf(n.out, "      · "+format+"\n", args...) })
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		fmt.Fprintf(n.out, "    ✖ failed after %v\n", took)
		return fmt.Errorf("step %d (%s): %w", n.step, title, err)
	}
	fmt.Fprintf(n.out, "    ✔ %v\n", took)
	n.done = append(n.done, line{title, took})
	return nil
}

// Picture remembers a screenshot for the summary.
func (n *narrator) Picture(path string) { n.pics = append(n.pics, path) }

// Summary closes the story.
func (n *narrator) Summary() {
	fmt.Fprintf(n.out, "\n%s\n%d steps shown in %v\n", strings.Repeat("─", 64), len(n.done), time.Since(n.began).Round(time.Second))
	for i, l := range n.done {
		fmt.Fprintf(n.out, "  ✔ %2d. %-66s %8v\n", i+1, l.title, l.took)
	}
	if len(n.pics) > 0 {
		fmt.Fprintln(n.out, "\nScreenshots:")
		for _, p := range n.pics {
			fmt.Fprintln(n.out, "  "+p)
		}
	}
}
