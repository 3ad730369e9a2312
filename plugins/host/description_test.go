package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Whoever registers a plugin under another name or cluster is told which.
func TestADescriptionThatDiffersIsNamed(t *testing.T) {
	c := &Config{Name: "portal-pair", Cluster: wire.ClusterNetwork}
	for want, d := range map[string]contract.Description{
		"its name is other, configured is portal-pair":             {Name: "other", Cluster: contract.ClusterNetwork},
		"its name is out of bounds, configured is portal-pair":     {Name: "a\nb", Cluster: contract.ClusterNetwork},
		"its cluster is behaviour, configured is network":          {Name: "portal-pair", Cluster: contract.ClusterBehaviour},
		"its cluster is none that is known, configured is network": {Name: "portal-pair", Cluster: 99},
	} {
		if _, err := accepted(c, d); !errors.Is(err, errNotWhatItSays) || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
