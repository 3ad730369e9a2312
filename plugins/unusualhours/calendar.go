package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// Bounds of a calendar file.
const (
	maxCalendarBytes = 1 << 20
	maxNamedDays     = 10_000
)

const secondsADay = 24 * 60 * 60

// moment is a time of sign-in as it is judged.
type moment struct {
	rest  bool
	angle float64 // 0 to 2π, midnight is 0
}

// calendar knows the zone that the agency works in, and its rest days.
type calendar struct {
	zone *time.Location
	// named says of a day, counted from 1970, whether it is a rest day.
	named map[int64]bool
}

// newCalendar reads the zone and the files. A line that cannot be read is an
// error: half a calendar would call work days unusual.
func newCalendar(zone string, files []string) (*calendar, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" { // the two that LoadLocation takes for something else
		return nil, fmt.Errorf("unusualhours: zone %q is not known", zone)
	}
	c := &calendar{zone: location, named: map[int64]bool{}}
	for _, file := range files {
		if err := c.read(file); err != nil {
			return nil, fmt.Errorf("unusualhours: holidays: %w", err)
		}
	}
	return c, nil
}

func (c *calendar) read(path string) error {
	file, err := os.Open(path) // #nosec G304 -- the operator's setting
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	limited := &io.LimitedReader{R: file, N: maxCalendarBytes + 1}
	lines := bufio.NewScanner(limited)
	for n := 1; lines.Scan(); n++ {
		if err := c.line(strings.TrimPrefix(lines.Text(), "\ufeff")); err != nil && n > 1 { // the first may be the heading
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if limited.N <= 0 || len(c.named) > maxNamedDays {
		return fmt.Errorf("%s: too large", path)
	}
	return nil
}

// line reads "20261010,六,2,國慶日": the day, its name, 2 for a rest day and 0
// for a work day, a remark. Only digits and commas count, so the file may be
// in UTF-8 or in Big5.
func (c *calendar) line(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	fields := strings.Split(text, ",")
	if len(fields) < 3 {
		return errors.New("a day, its name and 0 or 2 are needed")
	}
	day, err := time.Parse("20060102", strings.TrimSpace(fields[0]))
	if err != nil {
		return errors.New("the day is not written as 20261010")
	}
	switch kind := strings.TrimSpace(fields[2]); kind {
	case "0", "2":
		c.named[day.Unix()/secondsADay] = kind == "2"
	default:
		return errors.New("neither 0 (work day) nor 2 (rest day)")
	}
	return nil
}

// offset is the zone's offset from UTC at that time, in seconds.
func (c *calendar) offset(unix int64) int64 {
	_, seconds := time.Unix(unix, 0).In(c.zone).Zone()
	return int64(seconds)
}

// at is a time, so many seconds east of UTC, on the circle.
func (c *calendar) at(unix, offset int64) moment {
	local := unix + offset
	second := (local%secondsADay + secondsADay) % secondsADay
	day := (local - second) / secondsADay
	rest, named := c.named[day]
	if !named {
		weekday := ((day+int64(time.Thursday))%7 + 7) % 7 // 1970 began on a Thursday
		rest = weekday == int64(time.Saturday) || weekday == int64(time.Sunday)
	}
	return moment{rest: rest, angle: 2 * math.Pi * float64(second) / secondsADay}
}
