// Command seer is a plugin for tests that tells in its reasons what it was shown.
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func main() { contract.Serve(seer{}) }

type seer struct{}

// Describe implements contract.Plugin.
func (seer) Describe() contract.Description {
	return contract.Description{
		Name: "seer", Version: "1.2.3", Cluster: contract.ClusterNetwork, Retention: time.Hour,
		Features: []contract.Feature{
			contract.FeatureDevice, contract.FeatureNetwork, contract.FeatureZone, contract.FeatureAddress, contract.FeatureGroup,
			contract.FeaturePortal, contract.FeatureGrade, contract.FeatureRequests, contract.FeaturePosture, contract.FeatureFiles,
		},
		Kinds: []contract.Kind{contract.KindSignIn, contract.KindFailedSignIn, contract.KindActivity},
	}
}

// Observe implements contract.Plugin.
func (seer) Observe(_ context.Context, all []contract.Observation) (int, error) { return len(all), nil }

// Assess implements contract.Plugin.
func (seer) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	failing := []string{}
	for _, c := range o.Posture {
		failing = append(failing, c.ID[:2]+"="+c.State)
	}
	return contract.Verdict{LLR: 1, Confidence: 1, TTL: time.Hour, Reasons: []contract.Reason{{Code: "ZT-TRU-001", Args: map[string]string{
		"who": o.Person, "device": o.Device, "peers": o.Group, "portal": o.Portal + " " + o.Grade,
		"where": o.Network + " " + o.Address, "zone": fmt.Sprint(o.ZoneMinutes, o.ZoneKnown),
		"requests": fmt.Sprint(o.Requests), "posture": strings.Join(failing, " "),
	}}}}, nil
}

// Ready implements contract.Plugin.
func (seer) Ready() bool { return true }
