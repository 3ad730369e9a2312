package helper

import (
	"cmp"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

// choice is what one element of a set narrows the rule to.
type choice struct {
	narrow, unclear bool
	only, iface     string
	verdict         verdict
	last            bool
}

func (c choice) rank() int {
	if c.last {
		return 1
	}
	return 0
}

// lookup takes a set or a verdict map into account.
func (t *translation) lookup(data attributes) error {
	from := t.registers[data.optional(unix.NFTA_LOOKUP_SREG)]
	toVerdict := data.has(unix.NFTA_LOOKUP_DREG) && data.optional(unix.NFTA_LOOKUP_DREG) == unix.NFT_REG_VERDICT
	if data.has(unix.NFTA_LOOKUP_DREG) && !toVerdict { // a value for a later expression
		t.set(data.optional(unix.NFTA_LOOKUP_DREG), register{source: sourceUnknown})
		t.narrow = true
		return nil
	}
	inverted := data.optional(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0
	if toVerdict {
		t.verdict = verdict{kind: wire.VerdictOther}
	}
	switch {
	case inverted || from.source == sourceUnknown || from.mask != nil:
		t.unclear = true
		return nil
	case from.source == sourceNarrow || t.choices != nil:
		t.narrow = true
		return nil
	}
	elements, err := t.reading.set(t.chain, data.text(unix.NFTA_LOOKUP_SET))
	if err != nil {
		return err
	}
	t.choices = []choice{}
	for _, e := range elements {
		t.choices = append(t.choices, t.choose(from.source, e))
	}
	// The catch-all element is for what no other element is for.
	slices.SortStableFunc(t.choices, func(a, b choice) int { return cmp.Compare(a.rank(), b.rank()) })
	return nil
}

// choose says what one element of a set means for a packet from outside.
func (t *translation) choose(from source, e element) choice {
	c := choice{verdict: e.verdict, last: e.catchAll, narrow: !e.catchAll}
	if e.catchAll {
		return c
	}
	switch {
	case from == sourceFamily && len(e.key) >= 1 && familyName(e.key[0]) != "":
		c.narrow, c.only = false, familyName(e.key[0])
	case from == sourceProtocol && len(e.key) >= 1:
		c.narrow, c.unclear = !carriesPorts(e.key[0]), carriesPorts(e.key[0])
	case from == sourceConnection && len(e.key) == 4:
		c.narrow = binary.NativeEndian.Uint32(e.key)&stateNew == 0
	case from == sourceInterfaceName && len(e.key) == unix.IFNAMSIZ:
		c.iface = pattern(e.key)
		c.narrow = c.iface == "lo"
	case from == sourceInterfaceIndex && len(e.key) == 4:
		index := binary.NativeEndian.Uint32(e.key)
		c.iface = t.reading.interfaces[index]
		c.narrow = index == loopbackIndex || c.iface == ""
	}
	return c
}
