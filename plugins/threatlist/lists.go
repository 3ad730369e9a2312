package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// Bounds: how many files there are, and how often they are looked at.
const (
	maxLists     = 64
	shortestPoll = 100 * time.Millisecond
)

// settings are what an operator may set.
type settings struct {
	// Networks and Files are paths of lists.
	Networks []string `json:"networks"`
	Files    []string `json:"files"`
	// MaxAge is how long a list may go without being renewed, as Go writes
	// durations ("168h").
	MaxAge string `json:"max_age"`
	// Every is how often the files are looked at.
	Every string `json:"every"`
}

// lists are those of networks and of files, in memory.
type lists struct {
	networks, files []*list
	maxAge, every   time.Duration
	now             func() time.Time
}

// list is one file as it was read last without an error.
type list struct {
	path string
	read func(file io.Reader, room int) (content, error)
	// tried is the version that was read last, with or without an error.
	tried   version
	current atomic.Pointer[content]
}

// version tells a file from what it was before.
type version struct {
	modified time.Time
	size     int64
}

// content is what is on a list: of the one kind or of the other.
type content struct {
	networks networks
	digests  digests
	modified time.Time
}

func (c *content) len() int { return len(c.networks) + len(c.digests) }

func openLists(set settings, now func() time.Time) (*lists, error) {
	age, err := time.ParseDuration(set.MaxAge)
	if err != nil || age <= 0 {
		return nil, fmt.Errorf("max_age %q is no positive duration", set.MaxAge)
	}
	every, err := time.ParseDuration(set.Every)
	if err != nil || every < shortestPoll {
		return nil, fmt.Errorf("every %q is no duration of at least %v", set.Every, shortestPoll)
	}
	if len(set.Networks)+len(set.Files) > maxLists {
		return nil, fmt.Errorf("more than %d lists", maxLists)
	}
	all := &lists{maxAge: age, every: every, now: now}
	for _, path := range set.Networks {
		all.networks = append(all.networks, &list{path: path, read: readNetworkList})
	}
	for _, path := range set.Files {
		all.files = append(all.files, &list{path: path, read: readFileList})
	}
	for _, l := range all.each() {
		l.current.Store(&content{})
	}
	return all, errors.Join(all.poll()...)
}

func (a *lists) each() []*list { return append(append([]*list(nil), a.networks...), a.files...) }

// poll reads the files that changed, and returns what was wrong with them: each
// version is read, and found wrong, once. It is called by one goroutine.
func (a *lists) poll() (problems []error) {
	all := a.each()
	held := 0
	for _, l := range all {
		held += l.current.Load().len()
	}
	for _, l := range all {
		room := maxEntries - held + l.current.Load().len()
		if err := l.renew(room, a.now()); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", l.path, err))
		}
		held = maxEntries - room + l.current.Load().len()
	}
	return problems
}

var errChanging = errors.New("it changed while it was read")

// renew reads the file if it is another than it was. One whose time lies in the
// future is as old as its reading, or it would never age.
func (l *list) renew(room int, now time.Time) error {
	file, err := os.Open(l.path)
	if err != nil {
		// A file that is not there has no version: it is told of once.
		if gone := (version{size: -1}); l.tried != gone {
			l.tried = gone
			return err
		}
		return nil
	}
	defer func() { _ = file.Close() }() // read only
	v, err := versionOf(file)
	if err != nil || v == l.tried {
		return err
	}
	l.tried = v
	c, err := l.read(file, room)
	if err != nil {
		return err
	}
	if after, err := versionOf(file); err != nil || after != v {
		return errors.Join(errChanging, err) // the next look finds another version
	}
	c.modified = v.modified
	if now.Before(c.modified) {
		c.modified = now
	}
	l.current.Store(&c)
	return nil
}

func readNetworkList(file io.Reader, room int) (content, error) {
	all, err := readNetworks(file, room)
	return content{networks: all}, err
}

func readFileList(file io.Reader, room int) (content, error) {
	all, err := readDigests(file, room)
	return content{digests: all}, err
}

func versionOf(file *os.File) (version, error) {
	info, err := file.Stat()
	if err != nil {
		return version{}, err
	}
	return version{modified: info.ModTime(), size: info.Size()}, nil
}

// fresh reports whether a list was renewed recently enough.
func (a *lists) fresh(c *content) bool { return a.now().Sub(c.modified) <= a.maxAge }

// ready reports whether there is a fresh list, or none was wanted.
func (a *lists) ready() bool {
	all := a.each()
	for _, l := range all {
		if a.fresh(l.current.Load()) {
			return true
		}
	}
	return len(all) == 0
}

// find looks an address and digests up on the lists of their kind, and returns
// which are listed and whether a list was too old to be used.
func (a *lists) find(address netip.Addr, files []digest) (listed bool, listedFiles int, stale bool) {
	if address.IsValid() {
		for _, l := range a.networks {
			c := l.current.Load()
			stale = stale || !a.fresh(c)
			listed = listed || a.fresh(c) && c.networks.contain(address)
		}
	}
	for _, d := range files {
		found := false
		for _, l := range a.files {
			c := l.current.Load()
			stale = stale || !a.fresh(c)
			found = found || a.fresh(c) && c.digests.contain(d)
		}
		if found {
			listedFiles++
		}
	}
	return listed, listedFiles, stale
}
