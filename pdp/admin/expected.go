package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// file is what the record says of a list: enough to know it again.
type file struct {
	Name        string `json:"name,omitempty"`
	Bytes       int    `json:"bytes"`
	SHA256      string `json:"sha256"`
	LifeSeconds int64  `json:"life_seconds,omitempty"`
}

func fileOf(name, text string) file {
	digest := sha256.Sum256([]byte(text))
	return file{Name: name, Bytes: len(text), SHA256: hex.EncodeToString(digest[:])}
}

// agency checks that the path's agency exists.
func (a *Admin) agency(w http.ResponseWriter, r *http.Request) (agency string, ok bool) {
	agency = r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return "", false
	}
	return agency, true
}

func (a *Admin) issueCodes(w http.ResponseWriter, r *http.Request) {
	var in client.NewCodes
	if !problem.ReadJSON(w, r, maxList, &in) {
		return
	}
	agency, ok := a.agency(w, r)
	if !ok {
		return
	}
	life, err := lifeOf(in.LifeSeconds)
	if err != nil {
		a.fail(w, r, agency, err)
		return
	}
	about := fileOf("", in.CSV)
	about.LifeSeconds = in.LifeSeconds
	what := act{Action: "device codes", Target: agency, Input: about, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (client.Codes, string, error) {
		expires := a.Clock().UTC().Add(life)
		codes, err := a.Codes.IssueCodes(ctx, agency, by, life, []byte(in.CSV))
		return client.Codes{Codes: codes, Expires: expires.Truncate(time.Second)}, "", err
	})
}

func (a *Admin) importExpected(w http.ResponseWriter, r *http.Request) {
	var in client.NewExpected
	if !problem.ReadJSON(w, r, maxList, &in) {
		return
	}
	agency, ok := a.agency(w, r)
	if !ok {
		return
	}
	what := act{Action: "expected import", Target: in.Name, Input: fileOf(in.Name, in.CSV), agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (client.ExpectedImported, string, error) {
		list, approved, err := a.Expected.ImportExpected(ctx, agency, in.Name, by, []byte(in.CSV))
		return client.ExpectedImported{List: list, Approved: approved}, list.ID, err
	})
}

func (a *Admin) listExpected(w http.ResponseWriter, r *http.Request) {
	agency, ok := a.agency(w, r)
	if !ok {
		return
	}
	lists, err := a.Expected.ExpectedLists(r.Context(), agency)
	answer(a, w, r, agency, listed(lists), err)
}

func (a *Admin) showExpected(w http.ResponseWriter, r *http.Request) {
	agency, ok := a.agency(w, r)
	if !ok {
		return
	}
	rows, err := a.Expected.ExpectedDevices(r.Context(), agency, r.PathValue("list"))
	answer(a, w, r, r.PathValue("list"), listed(rows), err)
}

func (a *Admin) removeExpected(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	agency, ok := a.agency(w, r)
	if !ok {
		return
	}
	list := r.PathValue("list")
	what := act{Action: "expected remove", Target: list, agency: agency}
	change(a, w, r, what, func(ctx context.Context, _ string) (struct{}, string, error) {
		return struct{}{}, "", a.Expected.RemoveExpected(ctx, agency, list)
	})
}
