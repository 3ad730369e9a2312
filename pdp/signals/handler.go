package signals

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Paths that Handler answers; {agency} is part of the issuer's path.
const (
	wellKnown   = "/.well-known/ssf-configuration/a/{agency}"
	base        = "/a/{agency}/ssf/"
	streamPath  = "ssf/stream"
	statusPath  = "ssf/status"
	verifyPath  = "ssf/verify"
	addPath     = "ssf/subjects/add"
	removePath  = "ssf/subjects/remove"
	pollPath    = "ssf/poll/"
	jwksPath    = "jwks.json"
	methodPush  = "urn:ietf:rfc:8935"
	methodPoll  = "urn:ietf:rfc:8936"
	bearer      = "Bearer "
	queryStream = "stream_id"
)

// metadata is the transmitter's (SSF 1.0, 7.1).
type metadata struct {
	Version       string              `json:"spec_version"`
	Issuer        string              `json:"issuer"`
	Keys          string              `json:"jwks_uri"`
	Methods       []string            `json:"delivery_methods_supported"`
	Configuration string              `json:"configuration_endpoint"`
	Status        string              `json:"status_endpoint"`
	Verification  string              `json:"verification_endpoint"`
	AddSubject    string              `json:"add_subject_endpoint"`
	RemoveSubject string              `json:"remove_subject_endpoint"`
	Schemes       []map[string]string `json:"authorization_schemes"`
	Subjects      string              `json:"default_subjects"`
}

// Handler serves the configuration documents and the streams' endpoints, for
// the PDP's own origin.
func (t *Transmitter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wellKnown, t.describe)
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, *receiver){
		"POST " + base + "stream":        t.createStream,
		"GET " + base + "stream":         t.readStream,
		"PATCH " + base + "stream":       t.updateStream,
		"PUT " + base + "stream":         t.replaceStream,
		"DELETE " + base + "stream":      t.removeStream,
		"GET " + base + "status":         t.readStatus,
		"POST " + base + "status":        t.updateStatus,
		"POST " + base + "verify":        t.verify,
		"POST " + base + "poll/{stream}": t.poll,
		"POST /a/{agency}/" + addPath:    t.addSubject,
		"POST /a/{agency}/" + removePath: t.removeSubject,
	} {
		mux.HandleFunc(pattern, t.authenticated(serve))
	}
	return mux
}

// describe publishes an agency's configuration (SSF 1.0, 7.2), for everybody,
// once it has a receiver.
func (t *Transmitter) describe(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	if len(t.Receivers(agency)) == 0 {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	}
	at := t.issuer(agency) + "/"
	problem.WriteJSON(w, r, metadata{
		Version: "1_0", Issuer: t.issuer(agency), Keys: at + jwksPath, Methods: []string{methodPush, methodPoll},
		Configuration: at + streamPath, Status: at + statusPath, Verification: at + verifyPath,
		AddSubject: at + addPath, RemoveSubject: at + removePath,
		Schemes: []map[string]string{{"spec_urn": "urn:ietf:rfc:6750"}}, Subjects: "ALL",
	})
}

// authenticated lets receivers in that present their secret (RFC 6750, 2.1), nowhere
// else than in the header.
func (t *Transmitter) authenticated(serve func(http.ResponseWriter, *http.Request, *receiver)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), bearer)
		from := t.known(r.PathValue("agency"), secret)
		if !ok || from == nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.SignalReceiverUnknown))
			return
		}
		serve(w, r, from)
	}
}

// readBody decodes a request of SSF 1.0, whose own examples name no content
// type; unknown members are ignored there.
func readBody(w http.ResponseWriter, r *http.Request, v any) bool {
	if given := r.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
			problem.Write(w, r, http.StatusUnsupportedMediaType, reason.New(reason.WrongType))
			return false
		}
	}
	if err := strictjson.DecodeOpen(http.MaxBytesReader(w, r.Body, maxBody), maxBody, v); err != nil {
		problem.Write(w, r, http.StatusBadRequest, reason.New(reason.SignalStreamRefused, "detail", "the request cannot be read"))
		return false
	}
	return true
}

// requestError is a request that a receiver got wrong.
type requestError struct {
	status int
	code   string
	detail string
}

func (e *requestError) Error() string { return "signals: " + e.code + ": " + e.detail }

func badRequest(detail string) error {
	return &requestError{http.StatusBadRequest, reason.SignalStreamRefused, detail}
}

func (t *Transmitter) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad *requestError
	switch {
	case errors.As(err, &bad):
		problem.Write(w, r, bad.status, reason.New(bad.code, "detail", bad.detail))
	case errors.Is(err, store.ErrNotFound):
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
	case errors.Is(err, context.Canceled): // nobody is there to be told
	default:
		t.Logger.Error("a stream's request failed", "path", r.URL.Path, "error", err)
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
	}
}
