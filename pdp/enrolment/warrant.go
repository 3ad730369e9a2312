package enrolment

import (
	"context"
	"crypto/sha256"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// warrant is what lets a device in, and under which name: a code, or its EK's
// row on a list.
type warrant struct {
	agency, name string
	by           string // who issued the code
	replaces     string // the device whose place another TPM may take
	// row is of the device's EK, where a list expects it under this name: then
	// nobody need approve it.
	row *expectation
	// conditions and ops consume the code.
	conditions []store.Compare
	ops        []store.Op
}

func (c *code) warrant() warrant {
	return warrant{
		agency: c.Agency, name: c.DeviceName, by: c.IssuedBy, replaces: c.Replaces,
		conditions: []store.Compare{{Key: c.key, Revision: c.revision}}, ops: []store.Op{{Key: c.key, Delete: true}},
	}
}

// warrant finds what lets in the device of a sealed session. Gone says that it
// is not there any more: it was used, by this session or by another.
func (e *Enroller) warrant(ctx context.Context, sealed session) (w warrant, gone bool, err error) {
	ek := [sha256.Size]byte(sealed.EK)
	if sealed.CodeKey == "" {
		x, err := e.comes(ctx, ek)
		return warrant{agency: x.Agency, name: x.DeviceName, row: &x}, true, err
	}
	c, err := e.readCode(ctx, sealed.CodeKey)
	if err != nil {
		return w, c.key == "", err
	}
	w = c.warrant()
	x, found, err := e.expected(ctx, ek)
	if found && x.names(w.agency, w.name) {
		w.row = &x
	}
	return w, false, err
}

// use returns what commits with dev so that the warrant lets nobody else in.
func (e *Enroller) use(w warrant, dev wire.Device) ([]store.Compare, []store.Op, error) {
	if w.row == nil {
		return w.conditions, w.ops, nil
	}
	conditions, ops, err := w.row.arrive(dev, e.Clock())
	return append(w.conditions, conditions...), append(w.ops, ops...), err
}
