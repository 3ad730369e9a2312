package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/exception"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// log is an audit log in memory that is full after room records.
type log struct {
	mu      sync.Mutex
	records []wire.AuditRecord
	room    int
}

func (l *log) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) >= l.room {
		return 0, errors.New("no space")
	}
	l.records = append(l.records, r)
	return uint64(len(l.records)), nil
}

func (l *log) acts(t *testing.T) []act {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	acts := make([]act, len(l.records))
	for i, r := range l.records {
		if err := json.Unmarshal(r.Detail, &acts[i]); err != nil {
			t.Fatal(err)
		}
		if r.Kind != wire.AuditAdmin {
			t.Errorf("kind %s", r.Kind)
		}
		acts[i].agency, acts[i].person, acts[i].device, acts[i].session = r.Agency, r.Subject, r.Device, r.Session
	}
	return acts
}

// others stands for the parts of the PDP that have no place in these tests.
type others struct {
	withdrawn []string
	by        string
	revoked   []string
	removed   []string
	// inventories are the devices that sent one.
	inventories []string
	// repairs are those that were asked for, query the last search and erased
	// the people whose data were.
	repairs []string
	query   client.DecisionQuery
	erased  []string
}

func (o *others) Withdraw(agency string) error {
	o.withdrawn = append(o.withdrawn, agency)
	return nil
}

const repairID = "cmd-00000000000000000000000004"

func (o *others) Repair(dev wire.Device, claim wire.ClaimID, by string) (wire.Repair, error) {
	if !claim.Remediable() {
		return wire.Repair{}, badLife{}
	}
	o.repairs = append(o.repairs, dev.ID+" "+string(claim)+" "+by)
	return wire.Repair{ID: repairID, Claim: claim, Stage: wire.RepairSent}, nil
}

func (o *others) RepairOf(deviceID, id string) (wire.Repair, error) {
	if id != repairID || len(o.repairs) == 0 {
		return wire.Repair{}, store.ErrNotFound
	}
	return wire.Repair{ID: id, Claim: wire.ClaimFirewall, Stage: wire.RepairEnded, Done: true}, nil
}

func (o *others) IssueCode(_ context.Context, _, _, by string, _ time.Duration) (string, error) {
	o.by = by
	return "menshen1.secret", nil
}

func (o *others) IssueReplacement(_ context.Context, _, _, by string, _ time.Duration) (string, error) {
	o.by = by
	return "menshen1.replacement", nil
}

func (o *others) IssueCodes(_ context.Context, _, by string, _ time.Duration, csv []byte) ([]wire.IssuedCode, error) {
	o.by = by
	return []wire.IssuedCode{{DeviceName: string(csv), Code: "menshen1.secret"}}, nil
}

func (o *others) ImportExpected(_ context.Context, agency, name, by string, csv []byte) (wire.ExpectedList, int, error) {
	o.by = by
	if len(csv) == 0 {
		return wire.ExpectedList{}, 0, badLife{}
	}
	return wire.ExpectedList{ID: "exp-1", Agency: agency, Name: name, ImportedBy: by, Devices: len(csv)}, 2, nil
}

func (o *others) ExpectedLists(_ context.Context, agency string) ([]wire.ExpectedList, error) {
	if agency != "moda" {
		return nil, nil
	}
	return []wire.ExpectedList{{ID: "exp-1", Agency: agency}}, nil
}

func (o *others) ExpectedDevices(_ context.Context, _, list string) ([]wire.ExpectedDevice, error) {
	if list != "exp-1" {
		return nil, store.ErrNotFound
	}
	return []wire.ExpectedDevice{{EK: "ab", DeviceName: "LT-1"}}, nil
}

func (o *others) RemoveExpected(_ context.Context, _, list string) error {
	if list != "exp-1" {
		return store.ErrNotFound
	}
	o.removed = append(o.removed, list)
	return nil
}

func (o *others) NewLink(_ context.Context, personID string, _ time.Duration) (string, error) {
	return "https://pdp.example/register#secret-of-" + personID, nil
}

func (o *others) Standing(id string) wire.DeviceStanding {
	return wire.DeviceStanding{DeviceID: id, Standing: wire.StandingFresh, Result: wire.AttestationResult{Claims: []wire.Claim{{ID: wire.ClaimFirewall}}}}
}

const sessionID = "ses-00000000000000000000000004"

func (o *others) Sessions(string) []client.Session { return []client.Session{{ID: sessionID}} }

func (o *others) Revoke(_ context.Context, id string) error {
	if id != sessionID {
		return store.ErrNotFound
	}
	o.revoked = append(o.revoked, id)
	return nil
}

func (o *others) RevokePerson(_ context.Context, id string) (int, error) {
	o.revoked = append(o.revoked, id)
	return 2, nil
}

const decisionID = "dec-00000000000000000000000004"

func (o *others) Decision(_ context.Context, id string) ([]client.Record, error) {
	if id != decisionID {
		return nil, nil
	}
	return []client.Record{client.RecordOf(7, wire.AuditRecord{Kind: wire.AuditDecision, Decision: id, Detail: []byte(`{"effect":"deny"}`)})}, nil
}

// Baselines answers for every device with one rule that fails.
func (o *others) Baselines(context.Context, wire.Device) ([]wire.BaselineReport, error) {
	return []wire.BaselineReport{{Baseline: "TWGCB-01-014", Version: "1.2", RuleSet: []byte{0xab}, Results: []wire.RuleResult{
		{Rule: "TWGCB-01-014-0001", State: wire.ClaimPass}, {Rule: "TWGCB-01-014-0002", State: wire.ClaimFail, Seen: "squashfs is loaded"},
	}}}, nil
}

func (o *others) Policy(context.Context) (client.Policy, error) {
	return client.Policy{Version: "1", Files: map[string]string{"a.cedar": "permit(principal,action,resource);"}}, nil
}

func (o *others) CheckPolicy(_ context.Context, files map[string]string) client.PolicyChecked {
	if len(files) == 0 {
		return client.PolicyChecked{Problem: "no policy"}
	}
	return client.PolicyChecked{Version: "2"}
}

// mover is the directory's transfer as the PDP wires it.
type mover struct{ dir *directory.Directory }

func (m mover) TransferDevice(ctx context.Context, id string, to client.Transfer) (wire.Device, error) {
	return m.dir.TransferDevice(ctx, directory.Transfer{ID: id, Agency: to.Agency, Name: to.Name, Why: to.Reason})
}

func (o *others) Software(_ context.Context, dev wire.Device) (client.Software, error) {
	if dev.Status != wire.DeviceActive {
		return client.Software{}, store.ErrNotFound
	}
	return client.Software{Inventory: wire.Inventory{System: "debian"}}, nil
}

func (o *others) Export(_ context.Context, agency string, wanted func(string) bool) (client.SoftwareExport, error) {
	out := client.SoftwareExport{Agency: agency}
	for _, id := range o.inventories {
		if wanted(id) {
			out.Devices++
		}
	}
	return out, nil
}

type fixture struct {
	*Admin
	*client.Client
	socket     string
	audit      *log
	others     *others
	signalling *signalling
	plugins    *pluginHost
	dir        *directory.Directory
	keeper     *reference.Keeper
	sets       *policyset.Keeper
	appeals    *appeal.Keeper
	trust      *officers
	now        time.Time
}

func open(t *testing.T, uids ...uint32) *fixture {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{plugins: &pluginHost{}, audit: &log{room: 1000}, others: &others{}, signalling: &signalling{}, now: time.Now(), socket: socketPath(t)}
	clock := func() time.Time { return f.now }
	f.dir = directory.New(s, clock, rand.Reader)
	f.keeper = newKeeper(t, s, f.dir, clock)
	exceptions, err := exception.New(t.Context(), exception.Config{Store: s, Clock: clock, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f.sets = newPolicySets(t, s, clock)
	f.appeals = newAppeals(t, s, clock)
	f.trust = newOfficers(t, s, clock)
	f.Admin, err = New(Config{
		Directory: f.dir, Transfers: mover{f.dir}, Codes: f.others, Expected: f.others, Links: f.others, Standings: f.others, Repairs: f.others, Sessions: f.others, Decisions: f.others, Policies: f.others, PolicySets: f.sets, References: f.keeper, Exceptions: exceptions, Appeals: f.appeals, Trust: f.trust, SigningKeys: f.others, Baselines: f.others, Inventories: f.others, Receivers: f.signalling, Sources: f.signalling,
		Status:   func(context.Context) client.Status { return client.Status{Version: "test", Healthy: true} },
		Recorder: f.audit, Plugins: f.plugins, Applications: &ruleStore{}, Clock: clock, Logger: slog.New(slog.DiscardHandler), UIDs: uids,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(f.socket, true)
	if err != nil {
		t.Fatal(err)
	}
	server := f.Server()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	f.Client = client.New(f.socket, reason.English)
	return f
}

// socketPath lies where every user can reach it.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "admin.sock")
}

const nobodyUID = 65534

// as returns an HTTP client whose one connection was made by another user. The
// kernel keeps who connected, so one thread changes its user for that moment
// and is then thrown away.
func (f *fixture) as(t *testing.T, uid int) *http.Client {
	t.Helper()
	type dialled struct {
		conn net.Conn
		err  error
	}
	out := make(chan dialled)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		keep := ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
			out <- dialled{nil, errno}
			return
		}
		conn, err := net.Dial("unix", f.socket)
		out <- dialled{conn, err}
	}()
	d := <-out
	if d.err != nil {
		t.Fatal(d.err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return d.conn, nil }}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func refusedWith(t *testing.T, err error, status int, code string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Document == nil || p.Document.Status != status || p.Document.Code != code {
		t.Errorf("error %v, want %d %s", err, status, code)
	}
}
