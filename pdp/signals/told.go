package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	complianceKind = "signal-compliance"
	// RiskKind is the store's kind of what was told of sessions' risk; its
	// records end by themselves.
	RiskKind = "signal-risk"
	// riskLife is beyond every session's.
	riskLife = 13 * time.Hour
)

// told is what streams were told last, so that only a change is an event. It is
// stored with the event, and so survives with it.
type told struct {
	mu      sync.Mutex
	devices map[string]complianceTold
	risks   map[string]riskTold
}

type complianceTold struct {
	V      int    `json:"v"`
	Agency string `json:"agency"`
	Status string `json:"status"`
}

type riskTold struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	Level   string    `json:"level"`
}

func (t *Transmitter) loadTold(ctx context.Context) error {
	t.told.devices, t.told.risks = map[string]complianceTold{}, map[string]riskTold{}
	if err := t.each(ctx, complianceKind, func(raw store.Record) error {
		return loadInto(raw, t.told.devices, func(c complianceTold) int { return c.V })
	}); err != nil {
		return err
	}
	return t.each(ctx, RiskKind, func(raw store.Record) error {
		return loadInto(raw, t.told.risks, func(r riskTold) int { return r.V })
	})
}

func loadInto[T any](raw store.Record, into map[string]T, version func(T) int) error {
	var v T
	if err := json.Unmarshal(raw.Value, &v); err != nil || version(v) != schema {
		return fmt.Errorf("unreadable record of schema %d: %w", version(v), err)
	}
	into[raw.Key[strings.LastIndexByte(raw.Key, '/')+1:]] = v
	return nil
}

func (o *told) device(id string) complianceTold {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.devices[id]
}

func (o *told) setDevice(id string, c complianceTold) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.Status == "" {
		delete(o.devices, id)
		return
	}
	o.devices[id] = c
}

func (o *told) risk(id string) riskTold {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.risks[id]
}

// setRisk remembers a level, and forgets sessions whose time is over.
func (o *told) setRisk(id string, r riskTold) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Level == "" {
		delete(o.risks, id)
		return
	}
	for other, old := range o.risks {
		if old.Expires.Add(riskLife).Before(r.Expires) {
			delete(o.risks, other)
		}
	}
	o.risks[id] = r
}

func (o *told) forgetRisk(s Session) []store.Op {
	if o.risk(s.ID).Level == "" {
		return nil
	}
	return []store.Op{{Key: store.Key(RiskKind, s.Agency, s.ID), Delete: true}}
}

// judgeDevice says whether a device's compliance changed. The first look at a
// device tells nothing: an event says what was before, and nothing is known.
func (t *Transmitter) judgeDevice(ctx context.Context, id string) (note, error) {
	dev, err := t.Directory.Device(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return note{}, nil
	case err != nil:
		return note{}, err
	}
	before, now := t.told.device(id), complianceTold{schema, dev.Agency, compliance(dev, t.Standing(id))}
	if before == now || !t.listened(dev.Agency) {
		return note{}, nil
	}
	n := note{done: func() { t.told.setDevice(id, now) }}
	value, err := json.Marshal(now)
	if err != nil {
		return note{}, fmt.Errorf("signals: %w", err)
	}
	n.ops = []store.Op{{Key: store.Key(complianceKind, dev.Agency, id), Value: value}}
	if before.Agency != "" && before.Agency != dev.Agency { // it was moved: another agency starts anew
		n.ops = append(n.ops, store.Op{Key: store.Key(complianceKind, before.Agency, id), Delete: true})
	}
	if before.Agency == dev.Agency && before.Status != now.Status {
		n.kind, n.parties = kindComplianceChange, parties{device: id, deviceAgency: dev.Agency}
		by := BySystem
		if dev.Status != wire.DeviceActive {
			by = ByAdmin
		}
		n.body = complianceChange{common{At: t.Clock().Unix(), Initiator: by}, before.Status, now.Status}
	}
	return n, nil
}

// judgeSession says whether a session's risk changed. Low risk is what nobody
// has to be told of a new session.
func (t *Transmitter) judgeSession(ctx context.Context, id string) (note, error) {
	s, live := t.Session(id)
	score, assessed := t.Score(id)
	if !live || !assessed {
		return note{}, nil
	}
	before := t.told.risk(id)
	level := risk(score, before.Level)
	if level == before.Level || level == riskLow && before.Level == "" {
		return note{}, nil
	}
	n, err := t.noteSession(ctx, s, kindRiskChange)
	if err != nil || !t.listened(s.Agency) && !t.listened(n.parties.personAgency) {
		return note{}, err
	}
	at := t.Clock().UTC()
	now := riskTold{schema, at.Add(riskLife), level}
	value, err := json.Marshal(now)
	if err != nil {
		return note{}, fmt.Errorf("signals: %w", err)
	}
	n.ops = []store.Op{{Key: store.Key(RiskKind, s.Agency, id), Value: value}}
	n.done = func() { t.told.setRisk(id, now) }
	n.body = riskChange{common{At: at.Unix(), Initiator: ByPolicy}, "SESSION", level, before.Level, riskWhy(score)}
	return n, nil
}
