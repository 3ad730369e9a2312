package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/menshen-zt/menshen/internal/wire"
)

// AppealWithRecord is an appeal and the decision that it is about, explained.
type AppealWithRecord struct {
	Appeal wire.Appeal `json:"appeal"`
	Why    Why         `json:"why"`
}

// AppealAnswer is an officer's answer to an appeal.
type AppealAnswer struct {
	Outcome wire.AppealOutcome `json:"outcome"`
	Answer  string             `json:"answer"`
}

// Appeals lists an agency's appeals, the latest first.
func (c *Client) Appeals(ctx context.Context, agency string) ([]wire.Appeal, error) {
	return call[[]wire.Appeal](ctx, c, http.MethodGet, under(agency, "appeals"), nil)
}

// Appeal returns one appeal with its record.
func (c *Client) Appeal(ctx context.Context, agency, id string) (AppealWithRecord, error) {
	return call[AppealWithRecord](ctx, c, http.MethodGet, under(agency, "appeals/"+url.PathEscape(id)), nil)
}

// AnswerAppeal answers one.
func (c *Client) AnswerAppeal(ctx context.Context, agency, id string, in AppealAnswer) (wire.Appeal, error) {
	return call[wire.Appeal](ctx, c, http.MethodPost, under(agency, "appeals/"+url.PathEscape(id)+"/answer"), in)
}
