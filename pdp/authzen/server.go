package authzen

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Default paths (AuthZEN 1.0, HTTPS JSON Binding, API Endpoint Overview).
const (
	pathEvaluation     = "/access/v1/evaluation"
	pathEvaluations    = "/access/v1/evaluations"
	pathSearchSubject  = "/access/v1/search/subject"
	pathSearchResource = "/access/v1/search/resource"
	pathSearchAction   = "/access/v1/search/action"
	pathMetadata       = "/.well-known/authzen-configuration"
)

// Headers, as http.Header spells them.
const (
	headerRequestID = "X-Request-Id"
	headerSecret    = "Menshen-Portal-Secret" // #nosec G101 -- a header's name
	headerDecision  = "Menshen-Decision"
	bearer          = "Bearer "
)

const (
	maxBody      = 256 << 10
	maxRequestID = 128
	// retryAfter is what is told where nothing can be decided now, in seconds.
	retryAfter = "1"
)

// Serves reports whether a path is one of this package's.
func Serves(path string) bool {
	_, rest := tenantOf(path)
	return strings.HasPrefix(rest, "/access/v1/") || path == pathMetadata || strings.HasPrefix(path, pathMetadata+"/")
}

// tenantOf splits a path into its tenant, empty without one, and the rest.
func tenantOf(path string) (tenant, rest string) {
	if !strings.HasPrefix(path, "/"+wire.PrefixPortal+"-") {
		return "", path
	}
	tenant, rest, _ = strings.Cut(path[1:], "/")
	return tenant, "/" + rest
}

// call is one request of a portal's application.
type call struct {
	portal   *wire.Portal
	hearing  Hearing
	endpoint string
	body     []byte
	at       time.Time
	claimed  int // bytes, once for each time that they are read
	// filled in while it is answered, for the record
	inquiries []Inquiry
	results   []wire.EvaluationResult
	found     []string
}

// ServeHTTP answers a portal's application.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	echo(w.Header(), r.Header)
	if r.URL.Path == pathMetadata || strings.HasPrefix(r.URL.Path, pathMetadata+"/") {
		s.metadata(w, r)
		return
	}
	portal := s.authenticate(w, r)
	if portal == nil {
		return
	}
	tenant, path := tenantOf(r.URL.Path)
	if tenant != "" && tenant != portal.ID {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.AuthzenTenant))
		return
	}
	answer, known := s.endpoints[path]
	if !known {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	sent := body(w, r)
	if sent == nil {
		return
	}
	// Only now: an application that sends slowly is not judged by an hour that is over.
	at := s.Clock().UTC().Round(0)
	s.answer(w, r, &call{portal: portal, hearing: s.Judge.Hear(portal, at), endpoint: path, body: sent, at: at}, answer)
}

// answer decides, records, and only then tells.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c *call, decide endpoint) {
	out, err := decide(r.Context(), c)
	var told *requestError
	switch {
	case errors.As(err, &told):
		if told.status() == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", retryAfter)
		}
		problem.Write(w, r, told.status(), told.why)
		return
	case err != nil:
		s.Logger.Error("a question could not be judged", "portal", c.portal.ID, "endpoint", c.endpoint, "error", err)
		unavailable(w, r, reason.New(reason.Unavailable))
		return
	}
	id, err := s.record(r.Context(), c, w.Header().Get(headerRequestID))
	if err != nil {
		s.Logger.Error("an evaluation is not recorded", "portal", c.portal.ID, "error", err)
		why := reason.AuditClosed
		if errors.Is(err, errUnsealed) {
			why = reason.InputsUnsealed
		}
		unavailable(w, r, reason.New(why))
		return
	}
	// What changed while the record was written is felt too.
	for _, i := range c.inquiries {
		if !i.Stands() {
			unavailable(w, r, reason.New(reason.Unavailable))
			return
		}
	}
	w.Header()[headerDecision] = []string{id}
	problem.WriteJSON(w, r, out)
}

func unavailable(w http.ResponseWriter, r *http.Request, why wire.Reason) {
	w.Header().Set("Retry-After", retryAfter)
	problem.Write(w, r, http.StatusServiceUnavailable, why)
}

// echo repeats the caller's request identifier (AuthZEN 1.0, Request
// Identification in a Response). One that is long, said twice or has more than
// printable ASCII is left out: it would stand in answers and records.
func echo(to, from http.Header) {
	values := from[headerRequestID]
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxRequestID {
		return
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c <= ' ' || c >= 0x7f {
			return
		}
	}
	to[headerRequestID] = values
}

// authenticate returns the portal that the caller proves to stand for, or
// answers.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *wire.Portal {
	if secret := secretOf(r.Header); secret != "" {
		if portal, err := s.Portals.PortalOf(r.Context(), secret); err == nil {
			return portal
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="menshen"`) // RFC 6750, 3
	problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.ProxyUnknown))
	return nil
}

func secretOf(h http.Header) string {
	if values := h[headerSecret]; len(values) > 0 {
		if len(values) == 1 {
			return values[0]
		}
		return ""
	}
	values := h["Authorization"]
	if len(values) != 1 || len(values[0]) < len(bearer) || !strings.EqualFold(values[0][:len(bearer)], bearer) {
		return ""
	}
	return values[0][len(bearer):]
}

// body reads a request's body, or answers.
func body(w http.ResponseWriter, r *http.Request) []byte {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		refuse(w, r, "its Content-Type is not application/json")
		return nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		problem.Write(w, r, http.StatusRequestEntityTooLarge, reason.New(reason.TooLarge, "limit", strconv.Itoa(maxBody)))
	case err != nil:
		refuse(w, r, "its body ended too early")
	case len(raw) == 0:
		refuse(w, r, "its body is empty")
	default:
		return raw
	}
	return nil
}

func refuse(w http.ResponseWriter, r *http.Request, detail string) {
	problem.Write(w, r, http.StatusBadRequest, reason.New(reason.AuthzenRequest, "detail", detail))
}

// requestError is a fault of the whole request.
type requestError struct {
	why  wire.Reason
	code int // 0 is 400
}

func (e *requestError) Error() string { return "authzen: " + e.why.Code }

// Reason is what the caller is told.
func (e *requestError) Reason() wire.Reason { return e.why }

func (e *requestError) status() int {
	if e.code == 0 {
		return http.StatusBadRequest
	}
	return e.code
}

func wrong(detail string) error {
	return &requestError{why: reason.New(reason.AuthzenRequest, "detail", clip(detail))}
}

// clip bounds what a caller's own words take up.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// claims counts what a question claims, which is read so many times, and refuses
// what costs more than a body without defaults could.
func (c *call) claims(q *wire.Question, times int) error {
	c.claimed += times * (len(q.Subject.Properties) + len(q.Action.Properties) + len(q.Resource.Properties) + len(q.Context))
	if c.claimed > maxBody {
		return wrong(fmt.Sprintf("properties and context, once for each question, are more than %d bytes", maxBody))
	}
	return nil
}

// open begins an inquiry and keeps it for the record.
func (c *call) open(q *wire.Question) Inquiry {
	i := c.hearing.Open(q)
	c.inquiries = append(c.inquiries, i)
	return i
}
