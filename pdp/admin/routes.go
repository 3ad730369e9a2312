package admin

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// Bounds of bodies.
const (
	maxBody   = 16 << 10
	maxPolicy = 4 << 20
	maxBundle = 16 << 20
	maxKeySet = 128 << 10
	maxList   = 6 << 20 // a list of 4 MiB, quoted as JSON
)

func (a *Admin) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]http.HandlerFunc{
		"GET /v1/agencies":  a.listAgencies,
		"POST /v1/agencies": a.createAgency,

		"GET /v1/agencies/{agency}/people":                  a.listPeople,
		"POST /v1/agencies/{agency}/people":                 a.createPerson,
		"GET /v1/people/{name}":                             a.showPerson,
		"POST /v1/people/{name}/disable":                    a.setDisabled(true),
		"POST /v1/people/{name}/enable":                     a.setDisabled(false),
		"POST /v1/people/{name}/link":                       a.linkPerson,
		"POST /v1/people/{name}/revoke-sessions":            a.revokePerson,
		"POST /v1/keys/{id}/revoke":                         a.revokeKey,
		"GET /v1/agencies/{agency}/portals":                 a.listPortals,
		"POST /v1/agencies/{agency}/portals":                a.createPortal,
		"GET /v1/agencies/{agency}/devices":                 a.listDevices,
		"POST /v1/agencies/{agency}/codes":                  a.issueCode,
		"POST /v1/agencies/{agency}/codes/list":             a.issueCodes,
		"GET /v1/agencies/{agency}/expected":                a.listExpected,
		"POST /v1/agencies/{agency}/expected":               a.importExpected,
		"GET /v1/agencies/{agency}/expected/{list}":         a.showExpected,
		"POST /v1/agencies/{agency}/expected/{list}/remove": a.removeExpected,
		"GET /v1/devices/{name}":                            a.showDevice,
		"POST /v1/devices/{name}/approve":                   a.approveDevice,
		"POST /v1/devices/{name}/retire":                    a.retireDevice,
		"POST /v1/devices/{name}/quarantine":                a.quarantineDevice,
		"POST /v1/devices/{name}/release":                   a.releaseDevice,
		"POST /v1/devices/{name}/assign":                    a.assignDevice,
		"POST /v1/devices/{name}/group":                     a.groupDevice,
		"POST /v1/devices/{name}/transfer":                  a.transferDevice,
		"POST /v1/devices/{name}/repairs":                   a.repairDevice,
		"GET /v1/devices/{name}/repairs/{id}":               a.showRepair,
		"POST /v1/agencies/{agency}/withdraw-keys":          a.withdrawKeys,
		"POST /v1/portals/{id}/hosts":                       a.setPortalHosts,
		"POST /v1/portals/{id}/routes":                      a.setPortalRoutes,
		"POST /v1/portals/{id}/tokens":                      a.setPortalTokenFrom,
		"GET /v1/agencies/{agency}/software":                a.exportSoftware,
		"GET /v1/devices/{name}/software":                   a.showSoftware,
		"GET /v1/devices/{name}/baselines":                  a.showBaselines,
		"GET /v1/agencies/{agency}/exceptions":              a.listExceptions,
		"POST /v1/agencies/{agency}/exceptions":             a.addException,
		"POST /v1/agencies/{agency}/exceptions/{id}/remove": a.removeException,
		"GET /v1/sessions":                                  a.listSessions,
		"POST /v1/sessions/{id}/revoke":                     a.revokeSession,
		"GET /v1/status":                                    a.showStatus,
	} {
		mux.HandleFunc(pattern, serve)
	}
	for _, more := range []map[string]http.HandlerFunc{a.referenceRoutes(), a.policyRoutes(), a.decisionRoutes(), a.signalRoutes(), a.appealRoutes(), a.trustRoutes(), a.pluginRoutes()} {
		for pattern, serve := range more {
			mux.HandleFunc(pattern, serve)
		}
	}
	for pattern, serve := range a.applicationRoutes() {
		mux.HandleFunc(pattern, serve)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
	})
	return mux
}

// empty reads a request that has nothing to say.
func empty(w http.ResponseWriter, r *http.Request) bool {
	var none struct{}
	return problem.ReadJSON(w, r, maxBody, &none)
}

// answer is for reads, which are not recorded.
func answer[T any](a *Admin, w http.ResponseWriter, r *http.Request, what string, out T, err error) {
	if err != nil {
		a.fail(w, r, what, err)
		return
	}
	problem.WriteJSON(w, r, out)
}

// listed makes a list an array in JSON, also when it is empty.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
