package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/softkey"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// counterOf is the counter of software keys, beside the state.
func (c *Config) counterOf() *state.Counter { return state.CounterAt(c.State + ".counter") }

// secret reads what opens software keys.
func (c *Config) secret() (softkey.Secret, error) {
	credentials := os.Getenv("CREDENTIALS_DIRECTORY") // systemd.exec(5)
	s, err := softkey.ReadSecret(c.SoftwareSecret, credentials)
	if err != nil {
		return s, fault(err, reason.SoftkeySecret, "file", softkey.SecretFile(c.SoftwareSecret, credentials))
	}
	return s, nil
}

// openSoftware opens the software keys and prepares the client.
func (a *Agent) openSoftware(s *state.State) (*device, error) {
	ca, err := pinnedCA(s)
	if err != nil {
		return nil, stateFault(err, a.file.Path())
	}
	keys, err := a.config.softwareKeys(s.Keys)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Address: a.address(s), CA: ca, Key: keys.TLSSigner(), Clock: a.clock, Random: rand.Reader})
	if err != nil {
		return nil, err
	}
	return &device{soft: keys, client: c}, nil
}

func (c *Config) softwareKeys(document state.Secret) (*softkey.Keys, error) {
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	store, err := softkey.Open(document, secret, c.counterOf())
	if err != nil {
		return nil, c.softkeyFault(err)
	}
	return softkey.New(store)
}

// softkeyFault names the counter's file in what a person is told.
func (c *Config) softkeyFault(err error) error {
	why := ReasonOf(err)
	if why.Code == reason.SoftkeyCounter {
		return fault(err, why.Code, "file", c.counterOf().Path())
	}
	return err
}

// prepareSoftware makes software keys. Keys that are in use go on counting until
// the new enrolment is finished.
func prepareSoftware(c Config, tell func(step int)) (client.Enrolment, state.Secret, error) {
	e := client.Enrolment{OS: runtime.GOOS, Clock: time.Now, Random: rand.Reader}
	var err error
	if e.Hostname, err = os.Hostname(); err != nil {
		return e, nil, fmt.Errorf("agent: %w", err)
	}
	secret, err := c.secret()
	if err != nil {
		return e, nil, err
	}
	tell(2)
	if err := c.counterOf().Begin(); err != nil {
		return e, nil, fault(err, reason.SoftkeyCounter, "file", c.counterOf().Path())
	}
	document, err := softkey.Create(secret, rand.Reader)
	if err != nil {
		return e, nil, err
	}
	keys, err := c.softwareKeys(document)
	if err != nil {
		return e, nil, err
	}
	e.Software = keys
	return e, document, nil
}

// softwareEvidence is what a device without a TPM proves of its claims.
func softwareEvidence(keys *softkey.Keys, nonce [wire.NonceSize]byte, claims []byte) (wire.Evidence, error) {
	proof, err := keys.Prove(nonce, sha256.Sum256(claims))
	return wire.Evidence{Claims: claims, PCRs: []wire.PCRValue{}, Software: &proof}, err
}

// softwareKeys opens the keys, or where the state is another user's asks the
// agent, which knows.
func (e *examination) softwareKeys() {
	if e.running == nil && e.status.Enrolled && e.state == nil {
		for _, why := range e.status.Problems {
			switch why.Code {
			case reason.SoftkeySecret, reason.SoftkeyUnsealed, reason.SoftkeyCounter, reason.SoftkeySetting:
				e.add("keys", &Fault{why: why}, why.Code)
				return
			}
		}
		e.add("keys", nil, "")
		return
	}
	_, err := e.config.secret()
	if err == nil && e.state != nil {
		_, err = e.config.softwareKeys(e.state.Keys)
	}
	e.add("keys", err, reason.SoftkeyUnsealed)
}
