package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "days.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func days(t *testing.T, files ...string) *calendar {
	t.Helper()
	c, err := newCalendar("Asia/Taipei", files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func restDay(t *testing.T, c *calendar, text string) bool {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return c.at(at.Unix(), c.offset(at.Unix())).rest
}

func TestRestDaysAreThoseOfTheGovernmentsCalendar(t *testing.T) {
	// As data.gov.tw publishes it: with a mark of byte order and a heading. The
	// second name of a day is in Big5.
	c := days(t, written(t, "\ufeff西元日期,星期,是否放假,備註\r\n20260216,一,2,除夕\r\n20260207,\xa4\xbb,0,\r\n\r\n"))
	for text, want := range map[string]bool{
		"2026-02-16T09:00:00+08:00": true,  // a Monday that is a holiday
		"2026-02-07T09:00:00+08:00": false, // a Saturday that is worked
		"2026-02-14T09:00:00+08:00": true,  // a Saturday that no file names
		"2026-02-13T09:00:00+08:00": false, // a Friday
		"2026-02-13T23:00:00Z":      true,  // Saturday in Taipei
		"1969-12-31T09:00:00+08:00": false, // a Wednesday before the count begins
		"1969-12-28T09:00:00+08:00": true,  // a Sunday
	} {
		if got := restDay(t, c, text); got != want {
			t.Errorf("%s: rest day %v", text, got)
		}
	}
}

func TestTheAngleIsTheLocalTimeOfDay(t *testing.T) {
	c := days(t)
	at := time.Date(2026, 11, 2, 22, 0, 0, 0, time.UTC).Unix() // 06:00 in Taipei
	if got := c.at(at, c.offset(at)).angle; math.Abs(got-math.Pi/2) > 1e-9 {
		t.Errorf("06:00 stands at %.3f", got)
	}
	if got := c.at(-1, 0).angle; math.Abs(got-2*math.Pi) > 1e-3 {
		t.Errorf("a second before 1970 stands at %.3f", got)
	}
}

func TestACalendarThatCannotBeReadIsRefused(t *testing.T) {
	good := "20260216,一,2,除夕\n"
	for name, text := range map[string]string{
		"another way to write a day": good + "2026-10-10,六,2,國慶日\n",
		"no such day":                good + "20260230,一,2,\n",
		"another kind of day":        good + "20261010,六,1,國慶日\n",
		"too few columns":            good + "20261010,六\n",
		"too large":                  good + strings.Repeat(" \n", maxCalendarBytes/2),
		"a line without end":         good + strings.Repeat("1", maxCalendarBytes/2),
	} {
		if _, err := newCalendar("Asia/Taipei", []string{written(t, text)}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := newCalendar("Asia/Taipei", []string{filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a file that is not there was taken")
	}
	for _, zone := range []string{"", "Local", "Asia/Nowhere", "../etc/passwd"} {
		if _, err := newCalendar(zone, nil); err == nil {
			t.Errorf("zone %q was taken", zone)
		}
	}
}

func TestSettings(t *testing.T) {
	path := written(t, "20260216,一,2,除夕\n20260217,二,2,春節\n")
	for text, good := range map[string]bool{
		"": true, `{"zone":"Europe/Prague","holidays":["` + path + `"]}`: true,
		`{"zone":"nowhere"}`: false, `{"holiday":["x"]}`: false, `{"holidays":["/nowhere"]}`: false,
	} {
		t.Setenv("MENSHEN_INFERENCE_SETTINGS", text)
		if _, err := configured(); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
