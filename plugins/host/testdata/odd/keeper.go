package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// keeper counts each person's sign-ins and says the count, so that a test sees
// what it knows. Its settings say what it does wrong.
type keeper struct {
	settings keeperSettings

	once   sync.Once
	taught chan struct{} // closed once it was taught something

	mu     sync.Mutex
	people map[string]map[time.Time]bool
}

type keeperSettings struct {
	Version string `json:"version"`
	// Export, Import and Forget each may "hang", "fail", "flood" or "die"; an
	// Import may come "late": after the plugin was taught something else.
	Export string `json:"export"`
	Import string `json:"import"`
	Forget string `json:"forget"`
}

func newKeeper() (*keeper, error) {
	k := &keeper{settings: keeperSettings{Version: "1"}, people: map[string]map[time.Time]bool{}, taught: make(chan struct{})}
	return k, contract.Settings(&k.settings)
}

func (k *keeper) Describe() contract.Description {
	return contract.Description{
		Name: "odd-keeper", Version: k.settings.Version, Cluster: contract.ClusterNetwork,
		Keeps: []string{"the times of sign-ins"}, Retention: 24 * time.Hour,
	}
}

func (*keeper) Ready() bool { return true }

func (k *keeper) Observe(_ context.Context, all []contract.Observation) (int, error) {
	for _, o := range all {
		k.learn(o)
	}
	k.once.Do(func() { close(k.taught) })
	return len(all), nil
}

func (k *keeper) learn(o contract.Observation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.people[o.Person] == nil {
		k.people[o.Person] = map[time.Time]bool{}
	}
	k.people[o.Person][o.At] = true
}

func (k *keeper) Learn(_ context.Context, f contract.Feedback) error {
	if f.Genuine {
		k.learn(f.Observation)
	}
	return nil
}

func (k *keeper) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return contract.Verdict{
		LLR: float64(len(k.people[o.Person])), Confidence: 1, TTL: time.Minute, Reasons: []contract.Reason{{Code: "ZT-TRU-001"}},
	}, nil
}

// misbehave does what a setting says.
func misbehave(how string, w io.Writer) error {
	switch how {
	case "hang":
		select {}
	case "fail":
		return errors.New("no")
	case "die":
		os.Exit(1)
	case "flood":
		for piece := make([]byte, 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *keeper) Export(w io.Writer) error {
	if err := misbehave(k.settings.Export, w); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return json.NewEncoder(w).Encode(k.people)
}

func (k *keeper) Import(r io.Reader) error {
	if err := misbehave(k.settings.Import, io.Discard); err != nil {
		return err
	}
	people := map[string]map[time.Time]bool{}
	if err := json.NewDecoder(r).Decode(&people); err != nil {
		return err
	}
	if k.settings.Import == "late" {
		<-k.taught
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.people = people
	return nil
}

func (k *keeper) Forget(person string) {
	_ = misbehave(k.settings.Forget, io.Discard)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.people, person)
}
