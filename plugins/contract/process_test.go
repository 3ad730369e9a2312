package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// program is where TestMain built each of testdata's plugins.
var program = map[string]string{}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "contract-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"counting", "old"} {
		program[name] = filepath.Join(dir, name)
		build := exec.Command("go", "build", "-o", program[name], "./testdata/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v\n%s", err, out))
		}
	}
	return m.Run()
}

// launch starts a program with a host's bounds.
func launch(t *testing.T, name string) (Client, *plugin.Client) {
	t.Helper()
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: Handshake(), VersionedPlugins: HostPlugins(), Cmd: exec.Command(program[name]),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, SkipHostEnv: true, Logger: hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<10), grpc.MaxCallSendMsgSize(MaxMessageBytes))},
	})
	t.Cleanup(process.Kill)
	protocol, err := process.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := protocol.Dispense(Service)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(Client), process
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func signIns(person string, n int) []Observation {
	all := make([]Observation, n)
	for i := range all {
		all[i] = Observation{Kind: KindSignIn, Person: person, At: morning.Add(time.Duration(i+1) * time.Minute)}
	}
	return all
}

func teach(t *testing.T, c Client, all ...Observation) {
	t.Helper()
	if n, err := c.Observe(within(t), all); err != nil || n != len(all) {
		t.Fatalf("%d of %d taught something: %v", n, len(all), err)
	}
}

// known is how many sign-ins the plugin has counted, and its arguments.
func known(t *testing.T, c Client, person string) (int, map[string]string) {
	t.Helper()
	v, err := c.Assess(within(t), Observation{Person: person, At: morning})
	if err != nil {
		t.Fatal(err)
	}
	return int(v.LLR), v.Reasons[0].Args
}

// A batch is bounded by its bytes, too: devices' claims weigh a thousand
// times what a sign-in does.
func TestObserveSplitsByEncodedSize(t *testing.T) {
	claims := make([]Claim, MaxClaims)
	for i := range claims {
		claims[i] = Claim{ID: strings.Repeat("c", MaxTextBytes), State: strings.Repeat("s", MaxTextBytes)}
	}
	files := make([]string, MaxFiles)
	for i := range files {
		files[i] = strings.Repeat("f", MaxFileBytes)
	}
	all := signIns("a", 2*MaxBatch+1)
	for i := range 12 {
		all[500+i].Posture, all[500+i].Files = claims, files
	}
	count, requests := 0, 0
	for request := range batches(all) {
		if n := proto.Size(request); n > MaxMessageBytes || len(request.GetObservations()) > MaxBatch || n == 0 {
			t.Errorf("a request of %d bytes, %d observations", n, len(request.GetObservations()))
		}
		for _, o := range request.GetObservations() {
			if o.GetAtUnixNano() != all[count].At.UnixNano() {
				t.Fatalf("out of order at %d", count)
			}
			count++
		}
		requests++
	}
	if count != len(all) {
		t.Errorf("%d of %d", count, len(all))
	}
	c, _ := launch(t, "counting")
	teach(t, c, all...)
	if n, args := known(t, c, "a"); n != len(all) || args["calls"] != fmt.Sprint(requests) {
		t.Errorf("%d counted, %v, in %d requests", n, args, requests)
	}
}

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	c, _ := launch(t, "counting")
	good := signIns("a", 1)[0]
	for name, change := range map[string]func(*Observation){
		"no person":        func(o *Observation) { o.Person = "" },
		"a long text":      func(o *Observation) { o.Group = strings.Repeat("x", MaxTextBytes+1) },
		"a long digest":    func(o *Observation) { o.Files = []string{strings.Repeat("f", MaxFileBytes+1)} },
		"too many files":   func(o *Observation) { o.Files = make([]string, MaxFiles+1) },
		"too many claims":  func(o *Observation) { o.Posture = make([]Claim, MaxClaims+1) },
		"a long claim":     func(o *Observation) { o.Posture = []Claim{{State: strings.Repeat("x", MaxTextBytes+1)}} },
		"a whole megabyte": func(o *Observation) { o.Device = strings.Repeat("x", MaxMessageBytes) },
	} {
		bad := good
		change(&bad)
		if _, err := c.Observe(within(t), []Observation{bad}); err == nil {
			t.Errorf("%s was taught", name)
		}
		if _, err := c.Assess(within(t), bad); err == nil {
			t.Errorf("%s was judged", name)
		}
	}
	// A situation is never taught, whatever a plugin asks for.
	situation := good
	situation.Kind = KindSituation
	if n, err := c.Observe(within(t), []Observation{situation}); n != 0 || err != nil {
		t.Errorf("a situation taught %d: %v", n, err)
	}
	if n, _ := known(t, c, "a"); n != 0 {
		t.Errorf("%d were counted", n)
	}
}

func TestRehearsalJudgesThenLearns(t *testing.T) {
	c, _ := launch(t, "counting")
	all, given, heard := signIns("a", 2000), 0, 0
	next := func() (Observation, bool) {
		if given == len(all) {
			return Observation{}, false
		}
		given++
		return all[given-1], true
	}
	if err := c.Rehearse(within(t), next, func(v Verdict) error {
		if int(v.LLR) != heard || v.Abstained != (heard == 0) {
			t.Errorf("verdict %d: %+v", heard, v)
		}
		heard++
		return nil
	}); err != nil || heard != len(all) {
		t.Errorf("%d heard: %v", heard, err)
	}
}

func TestARehearsalThatIsLeftEnds(t *testing.T) {
	c, _ := launch(t, "counting")
	endless := 0
	next := func() (Observation, bool) {
		endless++
		return Observation{Kind: KindSignIn, Person: "a", At: morning.Add(time.Duration(endless))}, true
	}
	enough := errors.New("enough")
	if err := c.Rehearse(within(t), next, func(v Verdict) error {
		if v.LLR == 3 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(within(t))
	if err := c.Rehearse(ctx, next, func(Verdict) error { cancel(); return nil }); status.Code(err) != codes.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	if n, _ := known(t, c, "a"); n < 3 {
		t.Errorf("afterwards %d", n)
	}
}

func TestAPanicInAStreamFailsThatStreamAlone(t *testing.T) {
	c, process := launch(t, "counting")
	teach(t, c, signIns("a", 2)...)
	one := true
	next := func() (Observation, bool) {
		defer func() { one = false }()
		return signIns("panic", 1)[0], one
	}
	_, observed := c.Observe(within(t), signIns("panic", 1))
	rehearsed := c.Rehearse(within(t), next, func(Verdict) error { return nil })
	_, assessed := c.Assess(within(t), Observation{Person: "panic"})
	teach(t, c, signIns("export-panic", 1)...)
	exported := c.Export(within(t), io.Discard)
	for name, err := range map[string]error{"observe": observed, "rehearse": rehearsed, "assess": assessed, "export": exported} {
		if status.Code(err) != codes.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, _ := known(t, c, "a"); n != 2 || process.Exited() {
		t.Errorf("afterwards %d, exited %v", n, process.Exited())
	}
}

func TestStateGoesFromOneProcessToTheNext(t *testing.T) {
	old, _ := launch(t, "counting")
	for i := range 1000 {
		teach(t, old, signIns(fmt.Sprintf("%0200d", i), 1)...)
	}
	teach(t, old, signIns("a", 7)...)
	var state bytes.Buffer
	if err := old.Export(within(t), &state); err != nil || state.Len() <= pieceBytes {
		t.Fatalf("%d bytes: %v", state.Len(), err)
	}
	young, _ := launch(t, "counting")
	teach(t, young, signIns("own", 1)...)
	if err := young.Import(within(t), bytes.NewReader(state.Bytes())); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := young.Export(within(t), &again); err != nil || !bytes.Equal(state.Bytes(), again.Bytes()) {
		t.Errorf("%d bytes became %d: %v", state.Len(), again.Len(), err)
	}
	if err := young.Forget(within(t), "a"); err != nil {
		t.Fatal(err)
	}
	if n, _ := known(t, young, "a"); n != 0 {
		t.Errorf("a forgotten person has %d sign-ins", n)
	}
}

func TestAnImportThatFailsChangesNothing(t *testing.T) {
	c, _ := launch(t, "counting")
	teach(t, c, signIns("a", 3)...)
	good := `{"person":"b","taught":"2026-11-02T09:00:00Z","state":{"sign_ins":1,"last":"2026-11-02T09:00:00Z"}}` + "\n"
	for name, bad := range map[string]io.Reader{
		"a reader that fails": io.MultiReader(strings.NewReader(strings.Repeat(good, 1)), iotest.ErrReader(errors.New("disk"))),
		"an end too early":    strings.NewReader(good + good[:50]),
		"the plugin's check":  strings.NewReader(good + strings.Replace(strings.Replace(good, `"b"`, `"c"`, 1), ":1,", ":0,", 1)),
		"noise":               bytes.NewReader(bytes.Repeat([]byte{0, 0xff}, pieceBytes)),
		"more than is taken":  io.MultiReader(strings.NewReader(good), endless{}),
	} {
		err := c.Import(within(t), bad)
		a, _ := known(t, c, "a")
		b, _ := known(t, c, "b")
		if err == nil || a != 3 || b != 0 {
			t.Errorf("%s: %v; a %d, b %d", name, err, a, b)
		}
	}
	if err := c.Import(within(t), io.MultiReader(strings.NewReader(good), endless{})); !errors.Is(err, ErrStateTooLarge) {
		t.Errorf("too much: %v", err)
	}
}

func TestAnImportThatIsCancelledChangesNothing(t *testing.T) {
	c, _ := launch(t, "counting")
	teach(t, c, signIns("a", 3)...)
	good := `{"person":"b","taught":"2026-11-02T09:00:00Z","state":{"sign_ins":1,"last":"2026-11-02T09:00:00Z"}}` + "\n"
	ctx, cancel := context.WithCancel(within(t))
	ended := readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF })
	if err := c.Import(ctx, io.MultiReader(strings.NewReader(good), ended)); status.Code(err) != codes.Canceled {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(within(t))
	cancel()
	if _, err := c.Observe(ctx, signIns("b", 3)); status.Code(err) != codes.Canceled {
		t.Errorf("observe: %v", err)
	}
	a, _ := known(t, c, "a")
	if b, _ := known(t, c, "b"); a != 3 || b != 0 {
		t.Errorf("a %d, b %d", a, b)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// endless is white space without an end.
type endless struct{}

func (endless) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}

// A stranger's host may send more than this package's does.
func TestThePluginsSideBoundsAState(t *testing.T) {
	c, _ := launch(t, "counting")
	stream, err := c.(*client).rpc.Import(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for range MaxStateBytes/pieceBytes + 1 {
		if stream.Send(&inferencev2.State{Piece: make([]byte, pieceBytes)}) != nil {
			break
		}
	}
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), ErrStateTooLarge.Error()) {
		t.Errorf("%v", err)
	}
}

func TestAStateWithoutAnEndIsLeft(t *testing.T) {
	c, _ := launch(t, "counting")
	teach(t, c, signIns("huge", 1)...)
	if err := c.Export(within(t), io.Discard); !errors.Is(err, ErrStateTooLarge) {
		t.Errorf("%v", err)
	}
	if n, _ := known(t, c, "huge"); n != 1 {
		t.Errorf("afterwards %d", n)
	}
}

func TestAnOfficersWordArrives(t *testing.T) {
	c, _ := launch(t, "counting")
	teach(t, c, signIns("a", 1)...)
	for _, genuine := range []bool{true, false} {
		if err := c.Learn(within(t), Feedback{Observation: signIns("a", 1)[0], Genuine: genuine}); err != nil {
			t.Fatal(err)
		}
	}
	if _, args := known(t, c, "a"); args["denied"] != "1" {
		t.Errorf("%v", args)
	}
}
