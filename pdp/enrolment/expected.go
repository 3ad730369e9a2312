package enrolment

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// The store's kinds of lists of expected devices. A row lies under its EK's
// digest, because a device that comes without a code names no agency; it counts
// only while its list's head is there. So a list of any length appears, and goes
// away, in one write.
const (
	kindExpectedList = "expected-list"
	kindExpectedEK   = "expected-ek"
)

// listHead makes the rows of a list count.
type listHead struct {
	V       int       `json:"v"`
	ID      string    `json:"id"`
	Agency  string    `json:"agency"`
	Name    string    `json:"name"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Devices int       `json:"devices"`
}

// expectation is one device that an agency expects.
type expectation struct {
	V          int       `json:"v"`
	List       string    `json:"list"`
	Agency     string    `json:"agency"`
	DeviceName string    `json:"device_name"`
	Owner      string    `json:"owner,omitempty"`
	Group      string    `json:"group,omitempty"`
	Device     string    `json:"device,omitempty"` // that enrolled with this EK
	ArrivedAt  time.Time `json:"arrived_at,omitzero"`

	key      string
	revision int64
	head     store.Compare
}

func expectationKey(ek [32]byte) string {
	return store.Key(kindExpectedEK, nobody, hex.EncodeToString(ek[:]))
}

func headKey(agency, list string) string { return store.Key(kindExpectedList, agency, list) }

// read returns a record's value, and false if there is none.
func read[T any](ctx context.Context, s store.Store, key string, version func(T) int) (value T, revision int64, found bool, err error) {
	record, err := s.Get(ctx, key, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return value, 0, false, nil
	}
	if err != nil {
		return value, 0, false, fmt.Errorf("enrolment: reading a list: %w", err)
	}
	value, err = decodeListed(record, version)
	return value, record.Revision, err == nil, err
}

func decodeListed[T any](record store.Record, version func(T) int) (T, error) {
	var value T
	if err := json.Unmarshal(record.Value, &value); err != nil || version(value) != 1 {
		return value, fmt.Errorf("enrolment: unreadable list record, schema version %d: %w", version(value), err)
	}
	return value, nil
}

func (h listHead) version() int    { return h.V }
func (x expectation) version() int { return x.V }

// expected finds the row of an EK on a list that counts.
func (e *Enroller) expected(ctx context.Context, ek [32]byte) (x expectation, found bool, err error) {
	x, revision, found, err := read(ctx, e.Store, expectationKey(ek), expectation.version)
	if err != nil || !found {
		return x, false, err
	}
	x.key, x.revision = expectationKey(ek), revision
	key := headKey(x.Agency, x.List)
	_, headRevision, found, err := read(ctx, e.Store, key, listHead.version)
	x.head = store.Compare{Key: key, Revision: headRevision}
	return x, found, err
}

// names reports whether the row is of a device of this agency and name.
func (x *expectation) names(agency, device string) bool {
	return x.Agency == agency && strings.EqualFold(x.DeviceName, device)
}

// arrive returns what marks the row as used by dev, and the conditions under
// which it still says so.
func (x *expectation) arrive(dev wire.Device, now time.Time) ([]store.Compare, []store.Op, error) {
	used := *x
	used.Device, used.ArrivedAt = dev.ID, now.UTC()
	raw, err := json.Marshal(used)
	if err != nil {
		return nil, nil, fmt.Errorf("enrolment: %w", err)
	}
	return []store.Compare{{Key: x.key, Revision: x.revision}, x.head}, []store.Op{{Key: x.key, Value: raw}}, nil
}

// eachExpectation calls do with every row of every agency, page by page.
func (e *Enroller) eachExpectation(ctx context.Context, do func(expectation) error) error {
	prefix := store.Prefix(kindExpectedEK, nobody)
	for after := ""; ; {
		page, err := e.Store.Scan(ctx, prefix, after, store.MaxPageRecords)
		if err != nil {
			return fmt.Errorf("enrolment: reading lists: %w", err)
		}
		for _, record := range page.Records {
			x, err := decodeListed(record, expectation.version)
			if err != nil {
				return err
			}
			x.key, x.revision = record.Key, record.Revision
			if err := do(x); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// ExpectedLists returns an agency's lists, the oldest first.
func (e *Enroller) ExpectedLists(ctx context.Context, agency string) ([]wire.ExpectedList, error) {
	heads, err := e.heads(ctx, agency)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(heads))
	lists := make([]wire.ExpectedList, len(heads))
	for i, h := range heads {
		at[h.ID] = i
		lists[i] = wire.ExpectedList{ID: h.ID, Agency: h.Agency, Name: h.Name, ImportedBy: h.By, ImportedAt: h.At}
	}
	err = e.eachExpectation(ctx, func(x expectation) error {
		if i, ok := at[x.List]; ok && x.Agency == agency {
			lists[i].Devices++
			if x.Device != "" {
				lists[i].Arrived++
			}
		}
		return nil
	})
	return lists, err
}

func (e *Enroller) heads(ctx context.Context, agency string) ([]listHead, error) {
	var heads []listHead
	for after := ""; ; {
		page, err := e.Store.Scan(ctx, store.Prefix(kindExpectedList, agency), after, store.MaxPageRecords)
		if err != nil {
			return nil, fmt.Errorf("enrolment: reading lists: %w", err)
		}
		for _, record := range page.Records {
			h, err := decodeListed(record, listHead.version)
			if err != nil {
				return nil, err
			}
			heads = append(heads, h)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	slices.SortFunc(heads, func(a, b listHead) int { return a.At.Compare(b.At) })
	return heads, nil
}

// ExpectedDevices returns the rows of one list of the agency by device name, or
// store.ErrNotFound.
func (e *Enroller) ExpectedDevices(ctx context.Context, agency, list string) ([]wire.ExpectedDevice, error) {
	if err := e.hasList(ctx, agency, list); err != nil {
		return nil, err
	}
	var all []wire.ExpectedDevice
	err := e.eachExpectation(ctx, func(x expectation) error {
		if x.List == list && x.Agency == agency {
			all = append(all, wire.ExpectedDevice{
				EK: x.key[strings.LastIndexByte(x.key, '/')+1:], DeviceName: x.DeviceName, Owner: x.Owner, Group: x.Group,
				Device: x.Device, ArrivedAt: x.ArrivedAt,
			})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b wire.ExpectedDevice) int { return strings.Compare(a.DeviceName, b.DeviceName) })
	return all, err
}

func (e *Enroller) hasList(ctx context.Context, agency, list string) error {
	if wire.CheckID(wire.PrefixExpected, list) != nil {
		return fmt.Errorf("enrolment: %w", store.ErrNotFound)
	}
	_, _, found, err := read(ctx, e.Store, headKey(agency, list), listHead.version)
	if err == nil && !found {
		err = fmt.Errorf("enrolment: %w", store.ErrNotFound)
	}
	return err
}

// RemoveExpected takes a list of the agency away. Devices that enrolled by it
// stay. An unknown list gives store.ErrNotFound.
func (e *Enroller) RemoveExpected(ctx context.Context, agency, list string) error {
	if err := e.hasList(ctx, agency, list); err != nil {
		return err
	}
	if _, err := e.Store.Txn(ctx, nil, []store.Op{{Key: headKey(agency, list), Delete: true}}); err != nil {
		return fmt.Errorf("enrolment: removing a list: %w", err)
	}
	// From here on no row counts; what follows makes room.
	return e.sweep(ctx, list)
}

// sweep deletes the rows of a list that does not count. A row that changes
// meanwhile is another list's by then.
func (e *Enroller) sweep(ctx context.Context, list string) error {
	var rows []expectation
	flush := func() error {
		conditions, ops := make([]store.Compare, len(rows)), make([]store.Op, len(rows))
		for i, x := range rows {
			conditions[i], ops[i] = store.Compare{Key: x.key, Revision: x.revision}, store.Op{Key: x.key, Delete: true}
		}
		rows = rows[:0]
		if len(ops) == 0 {
			return nil
		}
		if _, err := e.Store.Txn(ctx, conditions, ops); !errors.Is(err, store.ErrConflict) {
			return err
		}
		return nil
	}
	err := e.eachExpectation(ctx, func(x expectation) error {
		if x.List != list {
			return nil
		}
		if rows = append(rows, x); len(rows) < store.MaxTxnParts {
			return nil
		}
		return flush()
	})
	if err = errors.Join(err, flush()); err != nil {
		return fmt.Errorf("enrolment: removing a list's rows: %w", err)
	}
	return nil
}
