//go:build linux

package host

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what a plugin says of itself.
const (
	maxFeatures  = 32
	maxKeeps     = 16
	maxRetention = 366 * 24 * time.Hour
	// maxSaid bounds a sentence of the plugin's own with its arguments in place.
	maxSaid = 2 * contract.MaxTextBytes
)

var (
	errNotWhatItSays = errors.New("plugin: describes itself otherwise than the configuration")
	errDescription   = errors.New("plugin: its description is out of bounds")
)

var (
	// The codes whose texts the PDP holds for plugins; what is between them
	// speaks for the fusion and for officers, never for a plugin.
	reasonShape    = regexp.MustCompile(`^ZT-TRU-(0[01]\d|1\d\d)$`)
	ownReasonShape = regexp.MustCompile(`^[a-z][a-z0-9-]{0,47}$`)
)

// description is what one life of a plugin said of itself, checked.
type description struct {
	version   string
	features  map[contract.Feature]bool
	kinds     map[contract.Kind]bool
	keeps     []string
	retention time.Duration
	network   bool
	texts     map[string]contract.ReasonText
}

// accepted checks a description against the configuration and its bounds.
func accepted(c *Config, d contract.Description) (description, error) {
	switch {
	case d.Name != c.Name && !nameShape.MatchString(d.Name):
		return description{}, fmt.Errorf("%w: its name is out of bounds, configured is %s", errNotWhatItSays, c.Name)
	case d.Name != c.Name:
		return description{}, fmt.Errorf("%w: its name is %s, configured is %s", errNotWhatItSays, d.Name, c.Name)
	case d.Cluster != clusterNumbers()[c.Cluster]:
		return description{}, fmt.Errorf("%w: its cluster is %s, configured is %s", errNotWhatItSays, clusterName(d.Cluster), c.Cluster)
	case d.Network && !c.Network:
		return description{}, fmt.Errorf("%w: it needs a network, which is not allowed to it", errNotWhatItSays)
	case c.Network && !d.Network:
		return description{}, fmt.Errorf("%w: it asks for no network, which is allowed to it", errNotWhatItSays)
	case !plain(d.Version), len(d.Features) > maxFeatures, len(d.Kinds) > maxFeatures:
		return description{}, errDescription
	case d.Retention < 0, d.Retention > maxRetention, len(d.Keeps) > maxKeeps, len(d.Texts) > contract.MaxTexts:
		return description{}, errDescription
	}
	out := description{
		version: d.Version, keeps: d.Keeps, retention: d.Retention, network: d.Network,
		features: map[contract.Feature]bool{}, kinds: map[contract.Kind]bool{}, texts: map[string]contract.ReasonText{},
	}
	for _, f := range d.Features {
		out.features[f] = true
	}
	for _, k := range d.Kinds {
		out.kinds[k] = true
	}
	for _, k := range d.Keeps {
		if k == "" || !printable(k, contract.MaxTextBytes) {
			return description{}, errDescription
		}
	}
	for _, t := range d.Texts {
		if _, twice := out.texts[t.Code]; twice || !sayable(t) {
			return description{}, errDescription
		}
		out.texts[t.Code] = t
	}
	return out, nil
}

// clusterName is a cluster as the configuration writes it.
func clusterName(number contract.Cluster) wire.Cluster {
	for name, known := range clusterNumbers() {
		if known == number {
			return name
		}
	}
	return "none that is known"
}

func sayable(t contract.ReasonText) bool {
	return ownReasonShape.MatchString(t.Code) && t.English != "" && t.Chinese != "" &&
		printable(t.English, contract.MaxTextBytes) && printable(t.Chinese, contract.MaxTextBytes)
}

// shippedReasons are the codes that the PDP has texts for.
var shippedReasons = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, code := range reason.Codes() {
		all[code] = reasonShape.MatchString(code)
	}
	return all
})

// rendered turns a plugin's reason into one that the PDP can say: one of its
// own codes, or ZT-TRU-090 with the plugin's own sentence in both languages.
func rendered(plugin string, says *description, r contract.Reason) (wire.Reason, bool) {
	if len(r.Args) > maxArguments {
		return wire.Reason{}, false
	}
	for name, value := range r.Args {
		if !plain(name) || !plain(value) {
			return wire.Reason{}, false
		}
	}
	if shippedReasons()[r.Code] {
		return wire.Reason{Code: r.Code, Args: r.Args}, true
	}
	text, own := says.texts[r.Code]
	if !own {
		return wire.Reason{}, false
	}
	var fill []string
	for _, name := range slices.Sorted(maps.Keys(r.Args)) {
		fill = append(fill, "{"+name+"}", r.Args[name])
	}
	in := strings.NewReplacer(fill...) // one pass: an argument is never filled in again
	english, chinese := in.Replace(text.English), in.Replace(text.Chinese)
	if !printable(english, maxSaid) || !printable(chinese, maxSaid) {
		return wire.Reason{}, false
	}
	return reason.New(reason.PluginSays, "plugin", plugin, "reason", r.Code, "en", english, "zh", chinese), true
}
