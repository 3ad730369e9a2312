package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the PDP can decide, and count what it knows",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.client().Status(c.Context())
			if err != nil {
				return err
			}
			if err := a.show(s, func() { a.printStatus(s) }); err != nil {
				return err
			}
			if s.Healthy {
				return nil
			}
			why := reason.New(reason.Unavailable)
			if len(s.Problems) > 0 {
				why = s.Problems[0]
			}
			return &failure{exitRefused, why}
		},
	}
}

func (a *app) printStatus(s client.Status) {
	healthy := a.say("✔ decides", "✔ 正常運作")
	if !s.Healthy {
		healthy = a.say("✖ denies everything", "✖ 一律拒絕")
	}
	a.facts(
		"PDP", healthy,
		a.say("Version", "版本"), s.Version,
		a.say("Running since", "啟動時間"), a.moment(s.StartedAt),
		a.say("Sessions", "工作階段"), strconv.Itoa(s.Sessions),
	)
	for _, standing := range []wire.Standing{wire.StandingFresh, wire.StandingSilent, wire.StandingStale, wire.StandingRefused, wire.StandingUnknown} {
		if n := s.Devices[standing]; n > 0 {
			a.printf("%s\n", a.say("Devices ", "裝置 ")+a.standing(standing)+": "+strconv.Itoa(n))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Counters)) {
		a.printf("%s: %d\n", clean(name), s.Counters[name])
	}
	for _, why := range s.Problems {
		text := reason.Of(a.lang(), why)
		a.printf("✖ %s %s\n  %s\n  → %s\n", why.Code, text.Title, text.What, text.Do)
	}
}
