package main

import (
	"strings"
	"testing"
)

func TestSoftware(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "software", "show", "LT-1", "--agency", "nstc")
	for _, want := range []string{"LT-1", "debian 12", "2026-11-20", "CVE-2026-0001", "9.8", "none yet"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "dpkg") {
		t.Error("the software is listed without --all")
	}
	if out, _ := c.run(0, "software", "show", "LT-1", "--agency", "nstc", "--all"); !strings.Contains(out, "dpkg") {
		t.Error("the software is not listed with --all")
	}
	c.lang = "zh_TW.UTF-8"
	if out, _ := c.run(0, "software", "show", "LT-1", "--agency", "nstc"); !strings.Contains(out, "已遭利用") || !strings.Contains(out, "尚無") {
		t.Errorf("in Chinese:\n%s", out)
	}
}

func TestSoftwareExportIsCSVWithoutFormulas(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "software", "export", "--agency", "nstc")
	want := "asset_name,asset_vendor,asset_version,cpe23,quantity,name_guessed\n" +
		"openssl,openssl,3.0.15,cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*,2,false\n"
	if !strings.HasPrefix(out, want) {
		t.Errorf("%q", out)
	}
	if last := out[len(want):]; !strings.Contains(last, ",'=cmd,") || strings.Contains(last, "\x1b") || !strings.HasSuffix(last, ",1,true\n") {
		t.Errorf("%q", last)
	}
	if out, _ := c.run(0, "software", "export", "--agency", "nstc", "--json"); !strings.Contains(out, `"agency": "nstc"`) {
		t.Errorf("%s", out)
	}
}
