package lab

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// PDP is a whole PDP in this process, as its program runs it: configuration,
// initialisation, real listeners.
type PDP struct {
	// Agents is the address of the agents' port, CA what its certificate
	// comes from.
	Agents string
	CA     *x509.CertPool
	Config pdp.Config
	Admin  *client.Client

	stop  context.CancelFunc
	ended chan error
}

// Agency is the one that a lab's PDP begins with.
const Agency = "moda"

// StartPDP makes a PDP in dir and starts it.
func StartPDP(ctx context.Context, dir string, change func(*pdp.Config)) (*PDP, error) {
	p, err := NewPDP(ctx, dir, change)
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// OpenPDP is the PDP that NewPDP made in dir before.
func OpenPDP(dir string) *PDP {
	c := configure(dir)
	return &PDP{Config: c, Admin: client.New(c.Admin.Socket, reason.English)}
}

func configure(dir string) pdp.Config {
	c := pdp.Default()
	c.Web.Certificate, c.Web.Key = filepath.Join(dir, webHost+".pem"), filepath.Join(dir, webHost+".key")
	c.Data, c.Admin.Socket, c.Web.Origin = filepath.Join(dir, "data"), filepath.Join(dir, "admin.sock"), "https://"+webHost
	c.Web.Listen, c.Agents.Listen, c.Proxies.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Agents.Names = []string{"127.0.0.1"}
	c.Attestation.EndorsementCAs = filepath.Join(dir, "endorsement-cas")
	c.Attestation.SupportedOS = []string{"debian 13"}
	c.Audit.ReserveMiB = 1
	return c
}

const webHost = "pdp.test"

// NewPDP makes a PDP in dir, which must be short enough for a socket's path.
// change may alter its configuration before it is initialised.
func NewPDP(ctx context.Context, dir string, change func(*pdp.Config)) (*PDP, error) {
	pki, err := NewWebPKI(dir)
	if err != nil {
		return nil, err
	}
	if _, _, err = pki.Issue(webHost); err != nil {
		return nil, err
	}
	c := configure(dir)
	if err := os.MkdirAll(c.Attestation.EndorsementCAs, 0o750); err != nil {
		return nil, err
	}
	if change != nil {
		change(&c)
	}
	first := pdp.First{Agency: wire.Agency{ID: Agency, NameZH: "數位發展部", NameEN: "Digital Affairs"}, Account: "admin", Name: "Admin"}
	if _, err := pdp.Init(ctx, c, first); err != nil {
		return nil, err
	}
	return &PDP{Config: c, Admin: client.New(c.Admin.Socket, reason.English)}, nil
}

// Trust copies a TPM maker's certificates to where the PDP's configuration
// looks for them; it must be called before the PDP starts.
func Trust(c pdp.Config, files ...string) error {
	for _, file := range files {
		raw, err := os.ReadFile(file) // #nosec G304 -- the lab's own files
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(c.Attestation.EndorsementCAs, filepath.Base(file)), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Start starts the PDP, after Stop again, and waits until it listens.
func (p *PDP) Start(ctx context.Context) error {
	pem, err := pdp.CA(p.Config)
	if err != nil {
		return err
	}
	p.CA = x509.NewCertPool()
	p.CA.AppendCertsFromPEM(pem)
	heard := &listener{ports: make(chan string, 1)}
	running, err := pdp.New(ctx, p.Config, "lab", slog.New(heard))
	if err != nil {
		return err
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.ended = make(chan error, 1)
	go func() { p.ended <- running.Run(ctx) }()
	select {
	case p.Agents = <-heard.ports:
		return nil
	case err := <-p.ended:
		p.ended <- err
		return fmt.Errorf("lab: the PDP ended: %w", errors.Join(err))
	}
}

// Stop takes the PDP down in order.
func (p *PDP) Stop() error {
	p.stop()
	return <-p.ended
}

// listener reads the agents' address out of the PDP's own log: it is told
// before anybody can connect, and a free port has no other name.
type listener struct {
	once  sync.Once
	ports chan string
}

func (l *listener) Enabled(context.Context, slog.Level) bool { return true }

func (l *listener) Handle(_ context.Context, r slog.Record) error {
	var port, address string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "port":
			port = a.Value.String()
		case "address":
			address = a.Value.String()
		}
		return true
	})
	if port == "agents" {
		l.once.Do(func() { l.ports <- address })
	}
	return nil
}

// WithAttrs drops the parts' own records, none of which names a port.
func (l *listener) WithAttrs([]slog.Attr) slog.Handler {
	return slog.DiscardHandler
}

func (l *listener) WithGroup(string) slog.Handler { return l }
