package authzen

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// metadata describes this decision point (AuthZEN 1.0, Policy Decision Point
// Metadata). What is not offered is left out.
type metadata struct {
	PolicyDecisionPoint string `json:"policy_decision_point"`
	Evaluation          string `json:"access_evaluation_endpoint"`
	Evaluations         string `json:"access_evaluations_endpoint"`
	SearchSubject       string `json:"search_subject_endpoint"`
	SearchResource      string `json:"search_resource_endpoint"`
	SearchAction        string `json:"search_action_endpoint"`
}

// metadata answers a question for the metadata. It says nothing of any portal,
// so that nobody has to prove one; whoever does is told of that one alone.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	// The identifier must be the one that the caller built this address from
	// (Policy Decision Point Metadata Validation).
	if !s.ownName(r.Host) {
		problem.Write(w, r, http.StatusMisdirectedRequest, reason.New(reason.AuthzenHost))
		return
	}
	identifier := "https://" + r.Host
	if tenant := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, pathMetadata), "/"); tenant != "" {
		if !s.mayKnow(w, r, tenant) {
			return
		}
		identifier += "/" + tenant
	}
	problem.WriteJSON(w, r, metadata{
		PolicyDecisionPoint: identifier,
		Evaluation:          identifier + pathEvaluation,
		Evaluations:         identifier + pathEvaluations,
		SearchSubject:       identifier + pathSearchSubject,
		SearchResource:      identifier + pathSearchResource,
		SearchAction:        identifier + pathSearchAction,
	})
}

// mayKnow reports whether a tenant can be described, or answers. Without a
// proof any that could be one is: nothing is looked up.
func (s *Server) mayKnow(w http.ResponseWriter, r *http.Request, tenant string) bool {
	known := wire.CheckID(wire.PrefixPortal, tenant) == nil
	if len(r.Header[headerSecret])+len(r.Header["Authorization"]) > 0 {
		portal := s.authenticate(w, r)
		if portal == nil {
			return false
		}
		known = known && portal.ID == tenant
	}
	if !known {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.AuthzenTenant))
	}
	return known
}

// ownName reports whether a Host header names this decision point.
func (s *Server) ownName(host string) bool {
	name := strings.Trim(host, "[]")
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = h
	}
	return slices.ContainsFunc(s.Names, func(own string) bool { return strings.EqualFold(own, name) })
}
