package main

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var day = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// feed is a list on disk, renewed at a time.
type feed string

func newFeed(t *testing.T, text string, at time.Time) feed {
	t.Helper()
	f := feed(filepath.Join(t.TempDir(), "list"))
	f.write(t, text, at)
	return f
}

func (f feed) write(t *testing.T, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(string(f), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(string(f), at, at); err != nil {
		t.Fatal(err)
	}
}

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newPlugin(t *testing.T, set settings) (*threatList, *clock) {
	t.Helper()
	now := &clock{day}
	set.Every = "10s"
	if set.MaxAge == "" {
		set.MaxAge = "48h"
	}
	all, err := openLists(set, now.now)
	if err != nil {
		t.Fatal(err)
	}
	return &threatList{lists: all}, now
}

func assess(t *testing.T, p *threatList, address string, files ...string) contract.Verdict {
	t.Helper()
	v, err := p.Assess(t.Context(), contract.Observation{Person: "p", Address: address, Files: files, At: day})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// says checks a verdict's first reason and its opinion.
func says(t *testing.T, v contract.Verdict, code string, llr float64, abstained bool) {
	t.Helper()
	if v.Reasons[0].Code != code || math.Abs(v.LLR-llr) > 1e-9 || v.Abstained != abstained {
		t.Errorf("want %s %.3f, got %+v", code, llr, v)
	}
}

func TestMatches(t *testing.T) {
	networks, files := newFeed(t, "198.51.100.0/24\n", day), newFeed(t, one+"\n", day)
	p, _ := newPlugin(t, settings{Networks: []string{string(networks)}, Files: []string{string(files)}})
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, math.Log(1./50), false)
	says(t, assess(t, p, "::ffff:198.51.100.7"), reasonAddress, math.Log(1./50), false)
	says(t, assess(t, p, "192.0.2.1"), reasonNone, 0, false)
	says(t, assess(t, p, "192.0.2.1", two, strings.ToUpper(one), "no digest"), reasonFile, math.Log(1./100), false)
	says(t, assess(t, p, "", one), reasonFile, math.Log(1./100), false)
	says(t, assess(t, p, "", two), reasonNone, 0, false)
	// Two matches say no more than the one that says more.
	both := assess(t, p, "198.51.100.7", one, one)
	says(t, both, reasonFile, math.Log(1./100), false)
	if len(both.Reasons) != 2 || both.Reasons[0].Args["files"] != "2" {
		t.Errorf("%+v", both.Reasons)
	}
}

func TestWithoutListOrFeatureItAbstains(t *testing.T) {
	networks := newFeed(t, "198.51.100.0/24\n", day)
	p, _ := newPlugin(t, settings{Networks: []string{string(networks)}})
	none, _ := newPlugin(t, settings{})
	for _, v := range []contract.Verdict{assess(t, p, ""), assess(t, p, "nowhere"), assess(t, p, "", one), assess(t, none, "198.51.100.7", one)} {
		says(t, v, reasonNothing, 0, true)
	}
	if !none.Ready() {
		t.Error("without lists there is nothing to wait for")
	}
	if n, err := p.Observe(t.Context(), []contract.Observation{{Person: "p", Address: "198.51.100.7"}}); n != 0 || err != nil {
		t.Errorf("learned %d, %v", n, err)
	}
}

func TestAFileThatChangesIsReadAgain(t *testing.T) {
	f := newFeed(t, "198.51.100.0/24\n", day)
	p, _ := newPlugin(t, settings{Networks: []string{string(f)}})
	f.write(t, "203.0.113.0/24\n", day.Add(time.Second))
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
	if problems := p.lists.poll(); problems != nil {
		t.Fatal(problems)
	}
	says(t, assess(t, p, "198.51.100.7"), reasonNone, 0, false)
	says(t, assess(t, p, "203.0.113.7"), reasonAddress, llrAddress, false)
	// The size alone changes, as when a clock stands still.
	f.write(t, "203.0.113.0/24\n198.51.100.0/24\n", day.Add(time.Second))
	if problems := p.lists.poll(); problems != nil {
		t.Fatal(problems)
	}
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
}

func TestABrokenVersionLeavesTheOneBefore(t *testing.T) {
	f := newFeed(t, "198.51.100.0/24\n", day)
	p, now := newPlugin(t, settings{Networks: []string{string(f)}})
	for n, text := range []string{"203.0.113.0/24\nbroken\n", "203.0.113.0/24\n192.0.2.0/2", "", "0.0.0.0/0\n"} {
		f.write(t, text, day.Add(time.Duration(n+1)*time.Minute))
		if problems := p.lists.poll(); len(problems) != 1 || !strings.Contains(problems[0].Error(), string(f)) {
			t.Errorf("%q: %v", text, problems)
		}
		if problems := p.lists.poll(); problems != nil {
			t.Errorf("%q is told of twice: %v", text, problems)
		}
		says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
		says(t, assess(t, p, "203.0.113.7"), reasonNone, 0, false)
	}
	if err := os.Remove(string(f)); err != nil {
		t.Fatal(err)
	}
	if first, second := p.lists.poll(), p.lists.poll(); len(first) != 1 || second != nil {
		t.Errorf("a file that is gone: %v, %v", first, second)
	}
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
	// The age is that of the version in use, not of the broken one.
	now.Time = day.Add(48*time.Hour + time.Second)
	says(t, assess(t, p, "198.51.100.7"), reasonStale, 0, true)
	if p.Ready() {
		t.Error("ready, with nothing but a stale list")
	}
	f.write(t, "203.0.113.0/24\n", now.Time)
	if problems := p.lists.poll(); problems != nil || !p.Ready() {
		t.Errorf("renewed, and not ready: %v", problems)
	}
	says(t, assess(t, p, "203.0.113.7"), reasonAddress, llrAddress, false)
}

// TestAFileThatChangesWhileItIsReadIsNotUsed: what was read may be half of
// each version. It is read again at the next look.
func TestAFileThatChangesWhileItIsReadIsNotUsed(t *testing.T) {
	f := newFeed(t, "198.51.100.0/24\n", day)
	p, _ := newPlugin(t, settings{Networks: []string{string(f)}})
	l := p.lists.networks[0]
	l.read = func(file io.Reader, room int) (content, error) {
		c, err := readNetworkList(file, room)
		f.write(t, "203.0.113.0/24\n192.0.2.0/24\n", day.Add(2*time.Minute))
		return c, err
	}
	f.write(t, "203.0.113.0/24\n", day.Add(time.Minute))
	if problems := p.lists.poll(); len(problems) != 1 || !errors.Is(problems[0], errChanging) {
		t.Errorf("%v", problems)
	}
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
	l.read = readNetworkList
	if problems := p.lists.poll(); problems != nil {
		t.Errorf("%v", problems)
	}
	says(t, assess(t, p, "192.0.2.7"), reasonAddress, llrAddress, false)
}

func TestAStaleListAbstainsBesideAFreshOne(t *testing.T) {
	stale, fresh := newFeed(t, "198.51.100.0/24\n", day.Add(-48*time.Hour-time.Second)), newFeed(t, "203.0.113.0/24\n", day)
	files := newFeed(t, one+"\n", day.Add(-48*time.Hour-time.Second))
	p, _ := newPlugin(t, settings{Networks: []string{string(stale), string(fresh)}, Files: []string{string(files)}})
	if !p.Ready() {
		t.Error("not ready, with a fresh list")
	}
	says(t, assess(t, p, "203.0.113.7"), reasonAddress, llrAddress, false)
	says(t, assess(t, p, "198.51.100.7"), reasonStale, 0, true)
	says(t, assess(t, p, "", one), reasonStale, 0, true)
	says(t, assess(t, p, "203.0.113.7", one), reasonAddress, llrAddress, false)
}

func TestAnErrorAtTheStart(t *testing.T) {
	good, bad := string(newFeed(t, "198.51.100.0/24\n", day)), string(newFeed(t, "\n\nbad\n", day))
	for want, set := range map[string]settings{
		bad + ": line 3": {Networks: []string{good, bad}},
		"line 1":         {Files: []string{good}},
		"no such file":   {Networks: []string{filepath.Join(t.TempDir(), "missing")}},
		"max_age":        {MaxAge: "soon"},
		"no positive":    {MaxAge: "0s"},
		"every":          {Every: "1ms"},
		"at least":       {Every: "often"},
		"more than":      {Networks: make([]string, maxLists), Files: []string{good}},
	} {
		if set.MaxAge == "" {
			set.MaxAge = "1h"
		}
		if set.Every == "" {
			set.Every = "10s"
		}
		if _, err := openLists(set, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// TestAllListsShareTheirRoom: two lists that are too large together.
func TestAllListsShareTheirRoom(t *testing.T) {
	large := newFeed(t, one+"\n", day)
	small := newFeed(t, "198.51.100.0/24\n", day)
	p, _ := newPlugin(t, settings{Networks: []string{string(small)}, Files: []string{string(large)}})
	p.lists.files[0].current.Store(&content{digests: make(digests, maxEntries-1), modified: day})
	small.write(t, "198.51.100.0/24\n203.0.113.0/24\n", day.Add(time.Second))
	if problems := p.lists.poll(); len(problems) != 1 || !strings.Contains(problems[0].Error(), errTooMany.Error()) {
		t.Errorf("%v", problems)
	}
	small.write(t, "203.0.113.0/24\n", day.Add(2*time.Second))
	if problems := p.lists.poll(); problems != nil {
		t.Errorf("%v", problems)
	}
	says(t, assess(t, p, "203.0.113.7"), reasonAddress, llrAddress, false)
}

func BenchmarkAssess(b *testing.B) {
	file := filepath.Join(b.TempDir(), "list")
	if err := os.WriteFile(file, []byte(million()), 0o600); err != nil {
		b.Fatal(err)
	}
	all, err := openLists(settings{Networks: []string{file}, MaxAge: "1h", Every: "10s"}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	p := &threatList{lists: all}
	o := contract.Observation{Person: "p", Address: "192.0.2.1", At: day}
	for b.Loop() {
		if _, err := p.Assess(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// A file from the future, by a wrong clock or on purpose, grows old like any other.
func TestAListFromTheFutureGrowsOld(t *testing.T) {
	f := newFeed(t, "198.51.100.0/24\n", day.AddDate(200, 0, 0))
	p, now := newPlugin(t, settings{Networks: []string{string(f)}})
	says(t, assess(t, p, "198.51.100.7"), reasonAddress, llrAddress, false)
	now.Time = day.Add(48*time.Hour + time.Second)
	if problems := p.lists.poll(); problems != nil {
		t.Fatal(problems)
	}
	says(t, assess(t, p, "192.0.2.1"), reasonStale, 0, true)
	if p.Ready() {
		t.Error("ready, with nothing but a list that nobody renews")
	}
}
