package pdp

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/applications"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/policy/application"
	"github.com/menshen-zt/menshen/pdp/seal"
)

// wireAuthzen opens what applications bring and lets them ask.
func (p *PDP) wireAuthzen(ctx context.Context) (err error) {
	if p.applications, err = applications.New(ctx, applications.Config[*application.Application]{
		Store: p.state.store, Load: application.Load, Keep: time.Duration(p.config.Audit.InputsDays) * day, Clock: time.Now, Logger: p.logger.With("part", "applications"),
	}); err != nil {
		return err
	}
	if p.authzen, err = authzen.New(authzen.Config{
		Portals: portalsOf{p.proxies}, Judge: observedJudge{&arbiter{applications: p.applications, sessions: p.sessions}, p.operations.metrics},
		Sealer: seal.New(p.state.ring.Seal), Inputs: evaluationInputs{p.inputs}, Recorder: p.state.log, Names: p.config.Proxies.Names,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "authzen"),
	}); err != nil {
		return err
	}
	p.history.again, p.history.rulesOf, p.history.rulesNow = p.authzen.Again, p.applications.At, p.applications.Of
	return nil
}

// adminApplications is what administration sees of applications' rules.
type adminApplications struct {
	keeper *applications.Keeper[*application.Application]
}

func shown(a *application.Application) client.Application {
	return client.Application{Version: a.Version(), Policies: a.Policies(), Entities: a.Entities()}
}

func shownKept(k *applications.Kept[*application.Application]) client.Application {
	var out client.Application
	if !k.Broken {
		out = shown(k.Loaded)
	}
	out.Number, out.SetAt, out.SetBy, out.Broken = k.Number, k.SetAt, k.SetBy, k.Broken
	return out
}

// Application implements admin.Applications.
func (a adminApplications) Application(portal wire.Portal) (client.Application, error) {
	kept, files, err := a.keeper.Files(portal.ID)
	if err != nil {
		return client.Application{}, err
	}
	out := shownKept(kept)
	out.Files = make(map[string]string, len(files))
	for name, text := range files {
		out.Files[name] = string(text)
	}
	return out, nil
}

// ValidateApplication implements admin.Applications.
func (a adminApplications) ValidateApplication(files map[string]string) (client.Application, error) {
	loaded, err := a.keeper.Validate(raw(files))
	if err != nil {
		return client.Application{}, err
	}
	return shown(loaded), nil
}

// SetApplication implements admin.Applications.
func (a adminApplications) SetApplication(ctx context.Context, portal wire.Portal, files map[string]string, by string) (client.Application, error) {
	kept, err := a.keeper.Set(ctx, portal, raw(files), by)
	if err != nil {
		return client.Application{}, err
	}
	return shownKept(kept), nil
}

// RemoveApplication implements admin.Applications.
func (a adminApplications) RemoveApplication(ctx context.Context, portal wire.Portal) (client.Application, error) {
	kept := a.keeper.Of(portal.ID)
	if err := a.keeper.Remove(ctx, portal); err != nil || kept == nil {
		return client.Application{}, err
	}
	return shownKept(kept), nil
}

func raw(files map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(files))
	for name, text := range files {
		out[name] = []byte(text)
	}
	return out
}
