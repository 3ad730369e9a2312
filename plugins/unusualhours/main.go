// Command unusualhours is the inference plugin that judges whether a person
// signs in at an hour that is usual for that person.
//
// Hours lie on a circle: 23:50 is near 00:10. The density of a person's hours
// is a kernel estimate with von Mises kernels (Fisher, "Statistical Analysis of
// Circular Data", 1993, §2.2; Taylor, "Automatic bandwidth selection for
// circular density estimation", CSDA 52, 2008), times a kernel over work days
// and rest days (Aitchison and Aitken, "Multivariate binary discrimination by
// the kernel method", Biometrika 63, 1976). It is set against an impostor's:
// half a colleague's hours, half any hour. score.go states the formula. It is
// deterministic and can be replayed by hand (requirements 33).
//
// Hours are those of the setting "zone" (Asia/Taipei). What a client says of
// its own zone can only lower the verdict, for a client may say anything; where
// it says nothing, the setting's hours alone are judged. The setting "holidays" names files with the government's calendar of
// office days as data.gov.tw publishes it (data set 14718): it knows holidays
// and the Saturdays that are worked instead. Days that no file names are rest
// days on Saturday and Sunday.
//
// Limits: hours are weak evidence. An attacker who knows the office hours looks
// usual; shift work looks usual once it was seen. So a verdict is bounded to
// ±3 nats, and there is none before five sign-ins.
//
// What it keeps is bounded: the times of the last 64 sign-ins of a person, none
// older than 90 days, of at most 20,000 people, and how many of all these lie in
// each half hour of the day.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // a sandbox has no zoneinfo

	"github.com/menshen-zt/menshen/plugins/contract"
)

// exitConfiguration is sysexits' EX_CONFIG, as the PDP's.
const exitConfiguration = 78

func main() {
	plugin, err := configured()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitConfiguration)
	}
	contract.Serve(plugin)
}

func configured() (*unusualHours, error) {
	settings := struct {
		Zone     string   `json:"zone"`
		Holidays []string `json:"holidays"`
	}{Zone: "Asia/Taipei"}
	if err := contract.Settings(&settings); err != nil {
		return nil, err
	}
	days, err := newCalendar(settings.Zone, settings.Holidays)
	if err != nil {
		return nil, err
	}
	return newPlugin(days), nil
}
