//go:build !windows

package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/menshen-zt/menshen/internal/wire"
)

// applications lists the applications of macOS by the system's own report,
// whose JSON form has fixed English keys in every language (system_profiler(8)).
var applications = source{
	name: "applications",
	stamp: func(_ context.Context, m Machine) string {
		bundles, err := fs.Glob(m.Files, "Applications/*.app/Contents/Info.plist")
		if err != nil {
			return ""
		}
		return statStamp(m.Files, append(bundles, "Applications", "Library/Receipts/InstallHistory.plist")...)
	},
	read: readApplications,
}

func readApplications(ctx context.Context, m Machine) ([]wire.Software, error) {
	raw, err := m.Run(ctx, "/usr/sbin/system_profiler", "-json", "SPApplicationsDataType")
	if err != nil {
		return nil, fmt.Errorf("inventory: asking for the applications: %w", err)
	}
	var report struct {
		Applications []struct {
			Name    string `json:"_name"`
			Version string `json:"version"`
			From    string `json:"obtained_from"`
		} `json:"SPApplicationsDataType"`
	}
	if err := json.Unmarshal(raw, &report); err != nil || report.Applications == nil {
		return nil, fmt.Errorf("%w: the list of applications cannot be read: %w", ErrMalformed, err)
	}
	all := make([]wire.Software, 0, len(report.Applications))
	for _, a := range report.Applications {
		if a.Name == "" {
			return nil, fmt.Errorf("%w: an application without a name", ErrMalformed)
		}
		s := wire.Software{Source: wire.SoftwareApplications, Name: a.Name, Version: a.Version}
		if a.From == "apple" {
			s.Vendor = "apple"
		}
		all = append(all, s)
	}
	return all, nil
}
