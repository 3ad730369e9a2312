package agent

import (
	"reflect"
	"testing"

	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestWhatThePDPHasAfterItsAnswer(t *testing.T) {
	sent := past{
		boots: tpm.Boots{Reset: 3}, claims: wire.Claims{Claims: []wire.Claim{{ID: wire.ClaimFirewall}}}, raw: []byte("{}"),
		logDigest: []byte("log"), bootPCRs: []byte("pcrs"), runTime: []byte("ten"), imaFrom: 4, imaWanted: true, imaSent: true,
	}
	with := func(change func(*past)) past {
		p := sent
		p.imaFrom, p.imaWanted = 7, false
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		answer wire.AttestAnswer
		want   past
	}{
		"accepted":     {wire.AttestAnswer{Accepted: true}, with(func(*past) {})},
		"refused":      {wire.AttestAnswer{}, past{}},
		"wants claims": {wire.AttestAnswer{Wants: []wire.Want{wire.WantClaims}}, with(func(p *past) { p.claims, p.raw = wire.Claims{}, nil })},
		"wants the log": {
			wire.AttestAnswer{Accepted: true, Wants: []wire.Want{wire.WantEventLog}}, with(func(p *past) { p.logDigest = nil }),
		},
		"wants the list": {wire.AttestAnswer{Accepted: true, Wants: []wire.Want{wire.WantIMA}}, with(func(p *past) { p.imaWanted = true })},
		"wants another":  {wire.AttestAnswer{Accepted: true, Wants: []wire.Want{"a later PDP's"}}, with(func(*past) {})},
	} {
		c.answer.IMAFrom = 7
		if got := sent.after(c.answer); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	sent.imaSent = false
	if got := sent.after(wire.AttestAnswer{Accepted: true}); got.imaFrom != 4 {
		t.Errorf("an answer to Evidence without a piece moves the list: %+v", got)
	}
}
