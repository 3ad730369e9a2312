package main

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// settings are what the tests set for this plugin.
type settings struct {
	Read   string `json:"read"`
	Dial   string `json:"dial"`
	Listen string `json:"listen"`
}

func text(code, english string) []contract.ReasonText {
	return []contract.ReasonText{{Code: code, English: english, Chinese: "範例：{who}"}}
}

// describeOddly changes a good description as the mode says.
func describeOddly(mode string, d *contract.Description) {
	switch mode {
	case "name":
		d.Name = "somebody"
	case "cluster":
		d.Cluster = 99
	case "network", "networkwanted":
		d.Network = true
	case "version":
		d.Version = "1\n2"
	case "keeps":
		d.Keeps = []string{"addresses\x1b[2J"}
	case "retention":
		d.Retention = -time.Hour
	case "eternal":
		d.Retention = 10 * 366 * 24 * time.Hour
	case "texts":
		d.Texts = make([]contract.ReasonText, contract.MaxTexts+1)
	case "textcode":
		d.Texts = text("ZT-POL-001", "as policy speaks")
	case "texthtml":
		d.Texts = text("own", "<script>alert(1)</script>")
	case "texttwice":
		d.Texts = append(text("own", "one"), text("own", "two")...)
	case "textempty":
		d.Texts = text("own", "")
	case "own", "ownargument", "ownunknown":
		d.Texts = text("own", "an example: {who}")
	}
}

// sayOddly gives the reasons of modes with texts of their own.
func sayOddly(mode string, v *contract.Verdict) {
	switch mode {
	case "own":
		v.Reasons = []contract.Reason{{Code: "own", Args: map[string]string{"who": "{said} {plugin}"}}}
	case "ownargument":
		v.Reasons = []contract.Reason{{Code: "own", Args: map[string]string{"who": "<b>"}}}
	case "ownunknown":
		v.Reasons = []contract.Reason{{Code: "another"}}
	case "officer":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-022"}}
	}
}

// reach tells what the sandbox lets through of what the settings name.
func reach(ctx context.Context) map[string]string {
	var s settings
	if err := contract.Settings(&s); err != nil {
		return map[string]string{"settings": err.Error()}
	}
	out := map[string]string{}
	if raw, err := os.ReadFile(s.Read); err == nil {
		out["read"] = string(raw)
	}
	var d net.Dialer
	if conn, err := d.DialContext(ctx, "tcp", s.Dial); err == nil {
		_ = conn.Close()
		out["dial"] = "worked"
	}
	if l, err := net.Listen("tcp", s.Listen); err == nil {
		_ = l.Close()
		out["listen"] = "worked"
	}
	for name, kind := range map[string]int{"udp": unix.SOCK_DGRAM, "raw": unix.SOCK_RAW} {
		if socket(unix.AF_INET, kind, 0) == nil {
			out[name] = "worked"
		}
	}
	if socket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP) == nil {
		out["mptcp"] = "worked"
	}
	return out
}
