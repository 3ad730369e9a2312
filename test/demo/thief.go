package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

// thiefVerb runs this program as the thief at the café: it sends one request
// to the portal with a cookie that it copied.
const thiefVerb = "thief"

// reply is what one plain request got.
type reply struct {
	Status   int    `json:"status"`
	Location string `json:"location"`
	Body     string `json:"body"`
}

// request is one plain request without a browser.
type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Cookie string `json:"cookie"`
	Accept string `json:"accept"`
	Body   string `json:"body"`
	CAFile string `json:"ca_file"`
	Dial   string `json:"dial"`
}

// from sends r from a place of the lab and returns what came back.
func (w *world) from(p lab.Place, r request) (reply, error) {
	r.CAFile, r.Dial = w.pki.CAFile(), lab.PortalIP+":443"
	raw, err := json.Marshal(r)
	if err != nil {
		return reply{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return reply{}, err
	}
	out, err := lab.Run(lab.Where{Place: p}.Command(self, thiefVerb, string(raw)))
	if err != nil {
		return reply{}, err
	}
	var got reply
	return got, json.Unmarshal([]byte(out), &got)
}

func runThief(arg string) error {
	var r request
	if err := json.Unmarshal([]byte(arg), &r); err != nil {
		return err
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", r.Dial)
			},
		},
	}
	got, err := send(client, r)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

func send(client *http.Client, r request) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), r.Method, r.URL, nil)
	if err != nil {
		return reply{}, err
	}
	if r.Cookie != "" {
		req.Header.Set("Cookie", r.Cookie)
	}
	req.Header.Set("Accept", r.Accept)
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return reply{}, fmt.Errorf("reading: %w", err)
	}
	return reply{Status: resp.StatusCode, Location: resp.Header.Get("Location"), Body: string(body)}, nil
}
