package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/remedy"
	"github.com/menshen-zt/menshen/internal/command"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Remedies implements local.Agent.
func (a *Agent) Remedies(ctx context.Context) local.Fixed {
	states, err := a.remedies.List(ctx)
	if err != nil {
		return local.Fixed{Reason: remedyReason(err, "")}
	}
	var f local.Fixed
	for _, s := range states {
		f.Remedies = append(f.Remedies, local.Remedy{
			Claim: wire.ClaimID(s.Name), Allowed: s.Allowed, Recorded: s.Recorded, Applied: s.Applied, At: s.At,
		})
	}
	return f
}

// Fix implements local.Agent: it has a remedy applied that the administrator of
// this machine allowed, and measures again, whether it worked or not.
func (a *Agent) Fix(ctx context.Context, claim wire.ClaimID) local.Fixed {
	why := a.applyRemedy(ctx, claim)
	status := a.Check(ctx)
	return local.Fixed{Reason: why, Status: &status}
}

// applyRemedy returns why it was not applied.
func (a *Agent) applyRemedy(ctx context.Context, claim wire.ClaimID) *wire.Reason {
	if !slices.Contains(remedy.Names(), remedy.Name(claim)) {
		return remedyReason(errNoRemedy, claim)
	}
	err := a.remedies.Apply(ctx, remedy.Name(claim))
	if err != nil {
		a.logger.Warn("a remedy was not applied", "claim", claim, "error", err)
		return remedyReason(err, claim)
	}
	a.logger.Info("a remedy was applied", "claim", claim)
	a.forget()
	return nil
}

// Undo has a remedy undone. It asks the process of the remedies itself, which
// listens to nobody but root here.
func Undo(ctx context.Context, c Config, claim wire.ClaimID) error {
	if !slices.Contains(remedy.Names(), remedy.Name(claim)) {
		return &Fault{why: *remedyReason(errNoRemedy, claim), cause: errNoRemedy}
	}
	if os.Geteuid() != 0 {
		return fault(nil, reason.RemedyNeedsRoot)
	}
	if err := remedy.NewClient(c.Remedy).Undo(ctx, remedy.Name(claim)); err != nil {
		return &Fault{why: *remedyReason(err, claim), cause: err}
	}
	return nil
}

var errNoRemedy = errors.New("agent: there is no such remedy")

func remedyReason(err error, claim wire.ClaimID) *wire.Reason {
	why := reason.New(reason.RemedyFailed, "claim", string(claim), "problem", err.Error())
	switch {
	case errors.Is(err, errNoRemedy):
		why = reason.New(reason.RemedyUnknown, "claim", string(claim))
	case errors.Is(err, remedy.ErrUnreachable):
		why = reason.New(reason.RemedyOff)
	case errors.Is(err, remedy.ErrNotAllowed):
		why = reason.New(reason.RemedyNotAllowed, "claim", string(claim))
	case errors.Is(err, remedy.ErrNothing):
		why = reason.New(reason.RemedyNothing, "claim", string(claim))
	}
	return &why
}

// RunRemedies runs the process that applies remedies, as root. What it may do
// stands in the configuration file, which must be root's own.
func RunRemedies(ctx context.Context, file string, c Config, logger *slog.Logger) error {
	if err := rootsOwn(file); err != nil {
		return fault(err, reason.RemedyConfig, "file", file)
	}
	uid, err := c.HelperUID()
	if err != nil {
		return err
	}
	allowed := make([]remedy.Name, len(c.Remedies))
	for i, name := range c.Remedies {
		allowed[i] = remedy.Name(name)
	}
	return remedy.Run(ctx, remedy.Config{
		Socket: c.Remedy, AgentUID: uid, Allowed: allowed, Folder: filepath.Dir(c.State) + "-remedy", Root: "/",
		Commands: command.System{}, Clock: time.Now, Logger: logger,
	})
}

// rootsOwn reports whether root alone can change a file.
func rootsOwn(file string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if owner, ok := ownerOf(info); !ok || owner != 0 || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is of user %d, with mode %v", file, owner, info.Mode())
	}
	return nil
}
