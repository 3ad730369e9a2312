package agent

import (
	"errors"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/helper"
	"github.com/menshen-zt/menshen/agent/softkey"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/unixsocket"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Fault is an error with the reason that a person is told.
type Fault struct {
	why   wire.Reason
	cause error
}

// Error implements error.
func (f *Fault) Error() string {
	if f.cause == nil {
		return "agent: " + f.why.Code
	}
	return "agent: " + f.why.Code + ": " + f.cause.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.cause }

// Reason returns what a person is told.
func (f *Fault) Reason() wire.Reason { return f.why }

func fault(cause error, code string, args ...string) *Fault {
	return &Fault{why: reason.New(code, args...), cause: cause}
}

// Because is an error that the agent's process gave a reason for.
func Because(why wire.Reason) *Fault { return &Fault{why: why} }

// ReasonOf gives any error of the agent's parts the reason that a person is
// told.
func ReasonOf(err error) wire.Reason {
	var told interface{ Reason() wire.Reason }
	if errors.As(err, &told) {
		return told.Reason()
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{softkey.ErrSecret, reason.SoftkeySecret},
		{softkey.ErrSealed, reason.SoftkeyUnsealed},
		{softkey.ErrCounter, reason.SoftkeyCounter},
		{tpm.ErrNotFound, reason.TPMNotFound},
		{tpm.ErrBusy, reason.TPMBusy},
		{tpm.ErrReplaced, reason.TPMReplaced},
		{tpm.ErrCleared, reason.TPMCleared},
		{tpm.ErrMalformed, reason.StateCorrupt},
		{tpm.ErrNoBank, reason.TPMFailed},
		{tpm.ErrClosed, reason.TPMFailed},
		{state.ErrNotEnrolled, reason.AgentNotEnrolled},
		{state.ErrExposed, reason.StateExposed},
		{state.ErrCorrupt, reason.StateCorrupt},
		{state.ErrUnreadable, reason.StateUnreadable},
		{state.ErrNotWritten, reason.StateNotWritten},
		{state.ErrLocked, reason.StateHeld},
		{client.ErrBadCode, reason.EnrolCodeMalformed},
		{client.ErrBadFingerprint, reason.EnrolFingerprint},
		{helper.ErrUnreachable, reason.HelperNotAnswering},
		{helper.ErrRefused, reason.HelperNotAnswering},
		{helper.ErrUnsupported, reason.HelperNotAnswering},
	} {
		if errors.Is(err, known.err) {
			return reason.New(known.code)
		}
	}
	var wrong *yamlfile.Error
	if errors.As(err, &wrong) {
		return reason.New(reason.AgentConfiguration, "detail", wrong.Error())
	}
	return reason.New(reason.AgentInternal)
}

// stateFault names the file in what a person is told about the state.
func stateFault(err error, file string) error {
	return &Fault{why: reason.New(ReasonOf(err).Code, "file", file), cause: err}
}

// Exit codes, after sysexits.h. A service manager starts the agent again on all
// but ExitConfiguration.
const (
	ExitFailure       = 1
	ExitUsage         = 64
	ExitUnavailable   = 69 // no TPM, or the PDP cannot be reached
	ExitCannotCreate  = 73 // a socket or the state cannot be written
	ExitIO            = 74 // the state cannot be read, or is damaged
	ExitConfiguration = yamlfile.ExitCode
)

// ExitCode is the exit code for an error.
func ExitCode(err error) int {
	var wrong *yamlfile.Error
	switch code := ReasonOf(err).Code; {
	case err == nil:
		return 0
	case errors.As(err, &wrong), code == reason.AgentRunsAsRoot, code == reason.AgentConfiguration, code == reason.SoftkeySetting, code == reason.RemedyConfig:
		return ExitConfiguration
	case code == reason.TPMNotFound, code == reason.TPMBusy, code == reason.PDPUnreachable, code == reason.PDPBusy:
		return ExitUnavailable
	case code == reason.StateNotWritten, code == reason.AgentCannotListen, code == reason.StateHeld,
		errors.Is(err, unixsocket.ErrUnsafeDirectory), errors.Is(err, unixsocket.ErrTaken):
		return ExitCannotCreate
	case code == reason.StateUnreadable, code == reason.StateCorrupt, code == reason.StateExposed,
		code == reason.SoftkeySecret, code == reason.SoftkeyUnsealed, code == reason.SoftkeyCounter:
		return ExitIO
	}
	return ExitFailure
}
