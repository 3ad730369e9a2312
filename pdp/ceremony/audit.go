package ceremony

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// errNotRecorded says that the audit log could not take a record: then
// nothing counts.
var errNotRecorded = errors.New("ceremony: not recorded")

// Outcomes of a sign-in's steps, as the audit log tells them.
const (
	outcomeKeyProven = "key-proven"
	outcomeSignedIn  = "signed-in"
	outcomeRefused   = "refused"
	outcomeUnproven  = "unproven" // counted, from strangers
	outcomeAccepted  = "accepted"
)

// signInDetail is the detail of a sign-in record.
type signInDetail struct {
	Outcome     string          `json:"outcome"`
	Code        string          `json:"code,omitempty"`
	Key         string          `json:"key,omitempty"`
	AAL         int             `json:"aal,omitempty"`
	TestKey     bool            `json:"test_key,omitempty"`
	Way         wire.BindingWay `json:"way,omitempty"`
	Seat        wire.SeatState  `json:"seat,omitempty"`
	SameNetwork bool            `json:"same_network,omitempty"`
	Count       int             `json:"count,omitempty"`
}

type keyAddedDetail struct {
	Outcome  string `json:"outcome"`
	AAGUID   string `json:"aaguid"`
	Model    string `json:"model"`
	Hardware bool   `json:"hardware"`
	TestKey  bool   `json:"test_key,omitempty"`
	Code     string `json:"code,omitempty"`
}

func (c *Ceremony) record(ctx context.Context, record wire.AuditRecord, detail any) error {
	raw, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	record.At, record.Detail = c.clock().UTC(), raw
	if _, err := c.recorder.Append(ctx, record); err != nil {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	return nil
}

func (c *Ceremony) recordKeyProven(ctx context.Context, p proof, signIn wire.SignIn) error {
	return c.record(ctx, wire.AuditRecord{Kind: wire.AuditSignIn, Agency: p.person.Agency, Subject: p.person.ID},
		signInDetail{Outcome: outcomeKeyProven, Key: p.key.ID, AAL: signIn.AAL, TestKey: signIn.TestKey})
}

func (c *Ceremony) recordSignedIn(ctx context.Context, person wire.Person, login wire.Login) error {
	return c.record(ctx,
		wire.AuditRecord{Kind: wire.AuditSignIn, Agency: person.Agency, Subject: person.ID, Device: login.Binding.DeviceID, Portal: login.Portal},
		signInDetail{
			Outcome: outcomeSignedIn, Key: login.SignIn.KeyID, AAL: login.SignIn.AAL, TestKey: login.SignIn.TestKey,
			Way: login.Binding.Way, Seat: login.Binding.Seat, SameNetwork: login.Binding.SameNetwork,
		})
}

// recordRefusal records that somebody who is known was refused. The refusal
// stands whether or not the record can be written.
func (c *Ceremony) recordRefusal(ctx context.Context, person wire.Person, portal string, signIn wire.SignIn, why error) {
	err := c.record(ctx, wire.AuditRecord{Kind: wire.AuditSignIn, Agency: person.Agency, Subject: person.ID, Portal: portal},
		signInDetail{Outcome: outcomeRefused, Code: asRefusal(why).why.Code, Key: signIn.KeyID})
	if err != nil {
		c.logger.ErrorContext(ctx, "refusal not recorded", "error", err.Error())
	}
}

// recordFailedKey records a refused touch of a key. What is proven to come
// from the key is written each time; what anybody could send is counted and
// written at most every tallyEvery, so that it cannot fill the log.
func (c *Ceremony) recordFailedKey(ctx context.Context, p proof, why error) {
	if p.proven {
		c.recordRefusal(ctx, p.person, "", wire.SignIn{KeyID: p.key.ID}, why)
		return
	}
	count, due := c.strangers.add(c.clock())
	if !due {
		return
	}
	err := c.record(ctx, wire.AuditRecord{Kind: wire.AuditSignIn},
		signInDetail{Outcome: outcomeUnproven, Code: asRefusal(why).why.Code, Count: count})
	if err != nil {
		c.logger.ErrorContext(ctx, "refusals not recorded", "error", err.Error())
	}
}

const tallyEvery = 10 * time.Second

// tally counts what strangers send between two records.
type tally struct {
	mu    sync.Mutex
	count int
	last  time.Time
}

// add counts one more and reports how many are to be written now, if any are.
func (t *tally) add(now time.Time) (count int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	if !t.last.IsZero() && now.Sub(t.last) < tallyEvery {
		return 0, false
	}
	count, t.count, t.last = t.count, 0, now
	return count, true
}
