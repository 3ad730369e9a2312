package main

import (
	"context"
	"net/netip"
	"strconv"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonAddress = "ZT-TRU-120"
	reasonFile    = "ZT-TRU-121"
	reasonNone    = "ZT-TRU-122"
	reasonNothing = "ZT-TRU-123"
	reasonStale   = "ZT-TRU-124"
)

// threatList implements contract.Plugin. It keeps nothing of people, so it is
// no Keeper, and learns nothing, so it is no Learner.
type threatList struct{ lists *lists }

// Describe implements contract.Plugin.
func (*threatList) Describe() contract.Description {
	return contract.Description{
		Name: "threatlist", Version: "1", Cluster: contract.ClusterNetwork,
		Features: []contract.Feature{contract.FeatureAddress, contract.FeatureFiles},
	}
}

// Ready implements contract.Plugin.
func (t *threatList) Ready() bool { return t.lists.ready() }

// Observe implements contract.Plugin.
func (*threatList) Observe(context.Context, []contract.Observation) (int, error) { return 0, nil }

// Assess implements contract.Plugin.
func (t *threatList) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	address, files := t.comparable(o)
	if !address.IsValid() && len(files) == 0 {
		return contract.Abstain(reasonNothing), nil
	}
	listed, listedFiles, stale := t.lists.find(address, files)
	switch {
	case listedFiles > 0:
		v := contract.Say(llrFile, confidence, reasonFile, "files", strconv.Itoa(listedFiles))
		if listed {
			v.Reasons = append(v.Reasons, contract.Reason{Code: reasonAddress})
		}
		return v, nil
	case listed:
		return contract.Say(llrAddress, confidence, reasonAddress), nil
	case stale:
		return contract.Abstain(reasonStale), nil
	default:
		return contract.Say(0, confidence, reasonNone), nil
	}
}

// comparable returns what there are lists for: the address if it can be read,
// and the digests.
func (t *threatList) comparable(o contract.Observation) (address netip.Addr, files []digest) {
	if len(t.lists.networks) > 0 {
		if a, err := netip.ParseAddr(o.Address); err == nil {
			address = a.WithZone("").Unmap()
		}
	}
	if len(t.lists.files) > 0 {
		for _, text := range o.Files {
			if d, err := parseDigest(text); err == nil {
				files = append(files, d)
			}
		}
	}
	return address, files
}
