package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/menshen-zt/menshen/internal/wire"
)

// CreateAgency adds an agency.
func (c *Client) CreateAgency(ctx context.Context, a wire.Agency) (wire.Agency, error) {
	return call[wire.Agency](ctx, c, http.MethodPost, "/v1/agencies", a)
}

// Agencies lists the agencies.
func (c *Client) Agencies(ctx context.Context) ([]wire.Agency, error) {
	return call[[]wire.Agency](ctx, c, http.MethodGet, "/v1/agencies", nil)
}

// CreatePerson adds a person to an agency.
func (c *Client) CreatePerson(ctx context.Context, agency string, p NewPerson) (wire.Person, error) {
	return call[wire.Person](ctx, c, http.MethodPost, under(agency, "people"), p)
}

// People lists an agency's people.
func (c *Client) People(ctx context.Context, agency string) ([]wire.Person, error) {
	return call[[]wire.Person](ctx, c, http.MethodGet, under(agency, "people"), nil)
}

// Person shows a person, named by id or by account in an agency.
func (c *Client) Person(ctx context.Context, agency, name string) (Person, error) {
	return call[Person](ctx, c, http.MethodGet, person(agency, name, ""), nil)
}

// SetDisabled disables or enables a person.
func (c *Client) SetDisabled(ctx context.Context, agency, name string, disabled bool) (wire.Person, error) {
	verb := "enable"
	if disabled {
		verb = "disable"
	}
	return call[wire.Person](ctx, c, http.MethodPost, person(agency, name, verb), struct{}{})
}

// Link makes a one-time key registration link for a person.
func (c *Client) Link(ctx context.Context, agency, name string, l NewLink) (Link, error) {
	return call[Link](ctx, c, http.MethodPost, person(agency, name, "link"), l)
}

// RevokeKey makes a person's security key useless.
func (c *Client) RevokeKey(ctx context.Context, keyID string) (wire.SecurityKey, error) {
	return call[wire.SecurityKey](ctx, c, http.MethodPost, one("keys", "", keyID, "revoke"), struct{}{})
}

// CreatePortal adds a portal to an agency.
func (c *Client) CreatePortal(ctx context.Context, agency string, p NewPortal) (PortalCreated, error) {
	return call[PortalCreated](ctx, c, http.MethodPost, under(agency, "portals"), p)
}

// Portals lists an agency's portals.
func (c *Client) Portals(ctx context.Context, agency string) ([]wire.Portal, error) {
	return call[[]wire.Portal](ctx, c, http.MethodGet, under(agency, "portals"), nil)
}

// IssueCode makes a one-time enrolment code.
func (c *Client) IssueCode(ctx context.Context, agency string, n NewCode) (Code, error) {
	return call[Code](ctx, c, http.MethodPost, under(agency, "codes"), n)
}

// IssueCodes makes a code for each name of a list.
func (c *Client) IssueCodes(ctx context.Context, agency string, n NewCodes) (Codes, error) {
	return call[Codes](ctx, c, http.MethodPost, under(agency, "codes/list"), n)
}

// ImportExpected takes a list of expected devices.
func (c *Client) ImportExpected(ctx context.Context, agency string, n NewExpected) (ExpectedImported, error) {
	return call[ExpectedImported](ctx, c, http.MethodPost, under(agency, "expected"), n)
}

// ExpectedLists shows an agency's lists of expected devices.
func (c *Client) ExpectedLists(ctx context.Context, agency string) ([]wire.ExpectedList, error) {
	return call[[]wire.ExpectedList](ctx, c, http.MethodGet, under(agency, "expected"), nil)
}

// ExpectedDevices shows one list.
func (c *Client) ExpectedDevices(ctx context.Context, agency, list string) ([]wire.ExpectedDevice, error) {
	return call[[]wire.ExpectedDevice](ctx, c, http.MethodGet, under(agency, "expected/"+url.PathEscape(list)), nil)
}

// RemoveExpected takes a list away.
func (c *Client) RemoveExpected(ctx context.Context, agency, list string) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, under(agency, "expected/"+url.PathEscape(list)+"/remove"), struct{}{})
	return err
}

// Devices lists an agency's devices.
func (c *Client) Devices(ctx context.Context, agency string) ([]Device, error) {
	return call[[]Device](ctx, c, http.MethodGet, under(agency, "devices"), nil)
}

// Device shows a device, named by id or by name in an agency.
func (c *Client) Device(ctx context.Context, agency, name string) (Device, error) {
	return call[Device](ctx, c, http.MethodGet, one("devices", agency, name, ""), nil)
}

// ApproveDevice makes a pending device active.
func (c *Client) ApproveDevice(ctx context.Context, agency, name string) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "approve"), struct{}{})
}

// RetireDevice ends a device's life.
func (c *Client) RetireDevice(ctx context.Context, agency, name string) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "retire"), struct{}{})
}

// QuarantineDevice keeps an active device from opening anything.
func (c *Client) QuarantineDevice(ctx context.Context, agency, name string, s StatusChange) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "quarantine"), s)
}

// ReleaseDevice makes a quarantined device active again.
func (c *Client) ReleaseDevice(ctx context.Context, agency, name string, s StatusChange) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "release"), s)
}

// AssignDevice gives a device to a person or to nobody.
func (c *Client) AssignDevice(ctx context.Context, agency, name string, a Assign) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "assign"), a)
}

// GroupDevice puts a device into a group or into none.
func (c *Client) GroupDevice(ctx context.Context, agency, name string, g Group) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "group"), g)
}

// TransferDevice moves a device to another agency and returns its new record.
func (c *Client) TransferDevice(ctx context.Context, agency, name string, t Transfer) (wire.Device, error) {
	return call[wire.Device](ctx, c, http.MethodPost, one("devices", agency, name, "transfer"), t)
}

// SetPortalHosts names the devices that serve a portal.
func (c *Client) SetPortalHosts(ctx context.Context, portalID string, h Hosts) (wire.Portal, error) {
	return call[wire.Portal](ctx, c, http.MethodPost, one("portals", "", portalID, "hosts"), h)
}

// Sessions lists a person's sessions by the person's id, everybody's for "".
func (c *Client) Sessions(ctx context.Context, personID string) ([]Session, error) {
	path := "/v1/sessions"
	if personID != "" {
		path += "?person=" + url.QueryEscape(personID)
	}
	return call[[]Session](ctx, c, http.MethodGet, path, nil)
}

// RevokeSession ends one session.
func (c *Client) RevokeSession(ctx context.Context, id string) (Revoked, error) {
	return call[Revoked](ctx, c, http.MethodPost, one("sessions", "", id, "revoke"), struct{}{})
}

// RevokePerson ends all of a person's sessions.
func (c *Client) RevokePerson(ctx context.Context, agency, name string) (Revoked, error) {
	return call[Revoked](ctx, c, http.MethodPost, person(agency, name, "revoke-sessions"), struct{}{})
}

// Decision shows the records of a decision: how it was taken, and its uses.
func (c *Client) Decision(ctx context.Context, id string) ([]Record, error) {
	return call[[]Record](ctx, c, http.MethodGet, one("decisions", "", id, ""), nil)
}

// Policy shows the active policy set.
func (c *Client) Policy(ctx context.Context) (Policy, error) {
	return call[Policy](ctx, c, http.MethodGet, "/v1/policy", nil)
}

// CheckPolicy says whether a policy set could be loaded. It changes nothing.
func (c *Client) CheckPolicy(ctx context.Context, files map[string]string) (PolicyChecked, error) {
	return call[PolicyChecked](ctx, c, http.MethodPost, "/v1/policy/validate", PolicyCheck{Files: files})
}

// Status shows how the PDP is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}
