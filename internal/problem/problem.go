// Package problem answers with RFC 9457 problem documents. Every one carries a
// reason code and says in the reader's language what happened and what to do.
package problem

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Document is an RFC 9457 problem document with this product's members.
type Document struct {
	Type   string `json:"type"` // about:blank unless a type is registered
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Do     string `json:"do"`
	// Decision is the decision's id where there is one.
	Decision string `json:"decision,omitempty"`
	// SignIn is where a person signs in again, for a script's 401.
	SignIn string `json:"sign_in,omitempty"`
}

// Option sets a further member of the document.
type Option func(*Document)

// WithDecision names the decision that the problem tells of.
func WithDecision(id string) Option { return func(d *Document) { d.Decision = id } }

// WithSignIn tells a script where its person signs in again.
func WithSignIn(url string) Option { return func(d *Document) { d.SignIn = url } }

// Write answers r with status and the reason's text in the reader's language;
// of a withheld reason with its code alone.
func Write(w http.ResponseWriter, r *http.Request, status int, why wire.Reason, options ...Option) {
	text := reason.Shown(reason.Negotiate(r.Header.Get("Accept-Language")), why)
	d := Document{Type: "about:blank", Title: text.Title, Status: status, Detail: text.What, Code: why.Code, Do: text.Do}
	for _, o := range options {
		o(&d)
	}
	body, err := json.Marshal(d)
	if err != nil {
		body = []byte(`{"status":500,"code":"` + reason.Internal + `"}`)
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
}

// ReadJSON decodes r's body strictly into v, or answers with a problem and
// returns false: 415 for a wrong type, 413 for too many bytes, 400 otherwise.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		Write(w, r, http.StatusUnsupportedMediaType, reason.New(reason.WrongType))
		return false
	}
	err := strictjson.Decode(r.Body, limit, v)
	switch {
	case err == nil:
		return true
	case errors.Is(err, strictjson.ErrTooLarge):
		Write(w, r, http.StatusRequestEntityTooLarge, reason.New(reason.TooLarge, "limit", strconv.FormatInt(limit, 10)))
	default:
		Write(w, r, http.StatusBadRequest, reason.New(reason.BadRequest, "detail", strings.TrimPrefix(err.Error(), "strictjson: ")))
	}
	return false
}

// WriteJSON answers 200 with v.
func WriteJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
}
