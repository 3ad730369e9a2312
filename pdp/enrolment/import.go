package enrolment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// maxLists bounds the lists of one agency.
const maxLists = 100

// ImportExpected takes a list of expected devices: CSV with the columns
// ek_sha256 and device_name, and where wanted agency, owner (an account) and
// group. It is taken whole or not at all; the first fault is told with its line.
// Devices of the agency that wait for approval and are on the list under their
// own name are approved; their number is returned.
func (e *Enroller) ImportExpected(ctx context.Context, agency, name, by string, text []byte) (list wire.ExpectedList, approved int, err error) {
	if n := utf8.RuneCountInString(name); n == 0 || n > 100 || !utf8.ValidString(name) || !plain(name) {
		return list, 0, refuse(nil, reason.CfgName)
	}
	heads, err := e.heads(ctx, agency)
	if err != nil {
		return list, 0, err
	}
	if len(heads) >= maxLists {
		return list, 0, refuse(nil, reason.CfgListSize, "most", strconv.Itoa(MaxListDevices))
	}
	rows, err := readList(text, MaxListDevices, []string{columnEK, columnName}, []string{columnAgency, columnOwner, columnGroup}, []string{columnEK, columnName})
	if err != nil {
		return list, 0, err
	}
	id, err := wire.NewID(wire.PrefixExpected, e.Random)
	if err != nil {
		return list, 0, fmt.Errorf("enrolment: %w", err)
	}
	expectations := make([]expectation, len(rows))
	for i, r := range rows {
		if expectations[i], err = e.expectation(ctx, agency, id, r); err != nil {
			return list, 0, err
		}
	}
	head := listHead{V: 1, ID: id, Agency: agency, Name: name, By: by, At: e.Clock().UTC(), Devices: len(rows)}
	if err := e.putList(ctx, head, expectations); err != nil {
		return list, 0, errors.Join(err, e.sweep(context.WithoutCancel(ctx), id))
	}
	list = wire.ExpectedList{ID: id, Agency: agency, Name: name, ImportedBy: by, ImportedAt: head.At, Devices: len(rows)}
	approved, err = e.approveWaiting(ctx, agency, by)
	list.Arrived = approved
	return list, approved, err
}

// expectation checks one line.
func (e *Enroller) expectation(ctx context.Context, agency, list string, r row) (expectation, error) {
	x := expectation{V: 1, List: list, Agency: agency, DeviceName: r.values[columnName], Group: r.values[columnGroup]}
	ek, ok := digestOf(r.values[columnEK])
	if !ok {
		return x, wrongLine(reason.CfgListValue, r.line, "column", columnEK)
	}
	if said, given := r.values[columnAgency]; given && said != agency {
		return x, wrongLine(reason.CfgListAgency, r.line)
	}
	if err := e.Devices.CheckNewDevice(ctx, agency, x.DeviceName); err != nil {
		return x, lineOf(err, r.line, columnName)
	}
	if err := e.Fleet.CheckDeviceGroup(x.Group); err != nil {
		return x, lineOf(err, r.line, columnGroup)
	}
	if account := r.values[columnOwner]; account != "" {
		owner, err := e.Fleet.PersonByAccount(ctx, agency, account)
		if isNotFound(err) || err == nil && owner.Disabled {
			return x, wrongLine(reason.CfgListPerson, r.line)
		}
		if err != nil {
			return x, fmt.Errorf("enrolment: %w", err)
		}
		x.Owner = owner.ID
	}
	old, found, err := e.expected(ctx, ek)
	if err != nil {
		return x, err
	}
	if found {
		on := old.List
		if old.Agency != agency {
			on = "–" // another agency's affairs
		}
		return x, wrongLine(reason.CfgListTaken, r.line, "list", on)
	}
	x.key, x.revision = expectationKey(ek), old.revision // of a row that does not count, or none
	return x, nil
}

// lineOf tells a value that the directory refuses by its line; another error
// stays what it is.
func lineOf(err error, line int, column string) error {
	var told interface{ Reason() wire.Reason }
	if errors.As(err, &told) {
		return wrongLine(reason.CfgListValue, line, "column", column)
	}
	return err
}

// putList writes the rows, which count for nothing yet, and then the head.
func (e *Enroller) putList(ctx context.Context, head listHead, rows []expectation) error {
	for len(rows) > 0 {
		n := min(len(rows), store.MaxTxnParts)
		conditions, ops := make([]store.Compare, n), make([]store.Op, n)
		for i, x := range rows[:n] {
			raw, err := json.Marshal(x)
			if err != nil {
				return fmt.Errorf("enrolment: %w", err)
			}
			conditions[i], ops[i] = store.Compare{Key: x.key, Revision: x.revision}, store.Op{Key: x.key, Value: raw}
		}
		if _, err := e.Store.Txn(ctx, conditions, ops); err != nil {
			return fmt.Errorf("enrolment: keeping a list: %w", err)
		}
		rows = rows[n:]
	}
	raw, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("enrolment: %w", err)
	}
	key := headKey(head.Agency, head.ID)
	if _, err := e.Store.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{{Key: key, Value: raw}}); err != nil {
		return fmt.Errorf("enrolment: keeping a list: %w", err)
	}
	return nil
}

// approveWaiting approves those devices of the agency that wait although their
// EK is expected under their name.
func (e *Enroller) approveWaiting(ctx context.Context, agency, by string) (approved int, err error) {
	devices, err := e.Fleet.Devices(ctx, agency)
	if err != nil {
		return 0, fmt.Errorf("enrolment: %w", err)
	}
	for _, dev := range devices {
		if dev.Status != wire.DevicePending || len(dev.EKDigest) != 32 {
			continue
		}
		x, found, err := e.expected(ctx, [32]byte(dev.EKDigest))
		if err != nil {
			return approved, err
		}
		if !found || !x.names(agency, dev.Name) {
			continue
		}
		s := step{
			Step: "approved", IssuedBy: by, DeviceName: dev.Name, EK: digestText(dev.EKDigest), Provenance: dev.Provenance,
			Expected: x.List, agency: agency, device: dev.ID,
		}
		if err := e.record(ctx, s); err != nil {
			return approved, err
		}
		conditions, ops, err := x.arrive(dev, e.Clock())
		if err != nil {
			return approved, err
		}
		if _, err := e.Store.Txn(ctx, conditions, ops); err != nil {
			return approved, fmt.Errorf("enrolment: marking a list: %w", err)
		}
		if _, err := e.Fleet.ApproveDevice(ctx, dev.ID); err != nil {
			return approved, fmt.Errorf("enrolment: approving %s: %w", dev.Name, err)
		}
		approved++
	}
	return approved, nil
}

// IssueCodes makes a one-time code for each name of a list: CSV with the one
// column device_name. Every name is checked before the first code is made.
func (e *Enroller) IssueCodes(ctx context.Context, agency, by string, life time.Duration, text []byte) ([]wire.IssuedCode, error) {
	rows, err := readList(text, MaxCodes, []string{columnName}, nil, []string{columnName})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := e.Devices.CheckNewDevice(ctx, agency, r.values[columnName]); err != nil {
			return nil, lineOf(err, r.line, columnName)
		}
	}
	codes := make([]wire.IssuedCode, len(rows))
	for i, r := range rows {
		name := r.values[columnName]
		text, err := e.IssueCode(ctx, agency, name, by, life)
		if err != nil {
			return nil, err
		}
		codes[i] = wire.IssuedCode{DeviceName: name, Code: text}
	}
	return codes, nil
}
