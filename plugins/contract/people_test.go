package contract

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

var morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

const month = 30 * 24 * time.Hour

func seen(p *People[int], person string, at time.Time) int {
	n := -1
	p.Look(person, at, func(state *int) { n = *state })
	return n
}

func count(state *int) { *state++ }

func TestAPersonIsForgottenAfterTheRetention(t *testing.T) {
	p := NewPeople[int](10, month, nil)
	p.Teach("a", morning, count)
	if n := seen(p, "a", morning.Add(month-1)); n != 1 {
		t.Errorf("within the retention: %d", n)
	}
	if n := seen(p, "a", morning.Add(month)); n != -1 {
		t.Errorf("after the retention: %d", n)
	}
	p.Teach("b", morning.Add(month), count)
	if p.Len() != 1 {
		t.Errorf("%d are kept, one of them past the retention", p.Len())
	}
}

func TestWhoWasTaughtLongestAgoMakesRoom(t *testing.T) {
	sum := 0
	p := NewPeople(2, month, func(state *int) { sum -= *state })
	for n, person := range []string{"a", "b", "a", "c"} {
		p.Teach(person, morning.Add(time.Duration(n)*time.Hour), func(state *int) { *state++; sum++ })
	}
	if a, b := seen(p, "a", morning), seen(p, "b", morning); a != 2 || b != -1 || sum != 3 {
		t.Errorf("a %d, b %d, over all %d", a, b, sum)
	}
	p.Forget("a")
	p.Forget("nobody")
	if a := seen(p, "a", morning); a != -1 || sum != 1 {
		t.Errorf("after forgetting: a %d, over all %d", a, sum)
	}
}

func TestAStateIsHandedOver(t *testing.T) {
	old := NewPeople[int](10, month, nil)
	for n := range 5 {
		old.Teach(fmt.Sprint("p", n), morning.Add(time.Duration(n)*time.Hour), func(state *int) { *state = n })
	}
	var state, again bytes.Buffer
	if err := old.Export(&state); err != nil {
		t.Fatal(err)
	}
	text := state.String()
	dropped := 0
	young := NewPeople(3, month, func(*int) { dropped++ })
	young.Teach("own", morning, count)
	if err := young.Import(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if young.Len() != 3 || dropped != 3 || seen(young, "own", morning) != -1 || seen(young, "p4", morning) != 4 || seen(young, "p1", morning) != -1 {
		t.Errorf("%d kept, %d dropped", young.Len(), dropped)
	}
	same := NewPeople[int](10, month, nil)
	if err := same.Import(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if err := same.Export(&again); err != nil || again.String() != text {
		t.Errorf("%s became %s: %v", text, again.String(), err)
	}
}

func TestCountsOverEverybodyFollowAnImport(t *testing.T) {
	old := NewPeople[int](10, month, nil)
	for n := range 5 {
		old.Teach(fmt.Sprint("p", n), morning.Add(time.Duration(n)*time.Hour), func(state *int) { *state = n + 1 })
	}
	var state bytes.Buffer
	if err := old.Export(&state); err != nil {
		t.Fatal(err)
	}
	sum := 0
	young := NewPeople(3, month, func(state *int) { sum -= *state }).Counted(func(state *int) { sum += *state })
	young.Teach("own", morning, func(state *int) { *state = 100; sum += 100 })
	if err := young.Import(&state); err != nil || sum != 3+4+5 {
		t.Errorf("over the three that are kept: %d, %v", sum, err)
	}
	young.Forget("p4")
	if sum != 3+4 {
		t.Errorf("after forgetting one: %d", sum)
	}
}

func TestAStateThatCannotBeReadChangesNothing(t *testing.T) {
	good := `{"person":"a","taught":"2026-11-02T09:00:00Z","state":1}`
	for name, text := range map[string]string{
		"not JSON":      good + "\n{",
		"no person":     good + `{"person":"","taught":"2026-11-02T09:00:00Z","state":1}`,
		"no time":       good + `{"person":"b","state":1}`,
		"twice":         good + good,
		"another state": good + `{"person":"b","taught":"2026-11-02T09:00:00Z","state":"x"}`,
		"unknown field": good + `{"person":"b","taught":"2026-11-02T09:00:00Z","state":1,"more":1}`,
	} {
		p := NewPeople[int](10, month, nil)
		p.Teach("own", morning, count)
		if err := p.Import(strings.NewReader(text)); err == nil || seen(p, "own", morning) != 1 || p.Len() != 1 {
			t.Errorf("%s: %v, %d kept", name, err, p.Len())
		}
	}
}

func TestAStateThatThePluginRefusesIsNotTaken(t *testing.T) {
	sum := 0
	p := NewPeople(10, month, func(state *int) { sum -= *state }).Counted(func(state *int) { sum += *state }).Checked(func(state *int) error {
		if *state < 0 {
			return fmt.Errorf("%d", *state)
		}
		return nil
	})
	p.Teach("own", morning, func(state *int) { *state++; sum++ })
	state := `{"person":"a","taught":"2026-11-02T09:00:00Z","state":10}{"person":"b","taught":"2026-11-02T09:00:00Z","state":-1}`
	if err := p.Import(strings.NewReader(state)); err == nil || sum != 1 || seen(p, "own", morning) != 1 {
		t.Errorf("%v, over all %d", err, sum)
	}
}
