package admin

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// TestSoftwareOfActiveDevicesCounts: retired and pending machines are not the
// agency's to report, and an active one without a list is not forgotten.
func TestSoftwareOfActiveDevicesCounts(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	if _, err := f.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}); err != nil {
		t.Fatal(err)
	}
	statuses := []wire.DeviceStatus{wire.DeviceActive, wire.DeviceActive, wire.DevicePending, wire.DeviceActive}
	for i, status := range statuses {
		d := wire.Device{
			ID: fmt.Sprintf("dev-%025d4", i), Agency: "moda", Name: fmt.Sprintf("LT-%d", i), Status: status,
			Provenance: wire.ProvenanceTPM, EKDigest: bytes.Repeat([]byte{byte(i)}, 32), AK: []byte{1}, AKQualifiedName: []byte{1},
			SigningKey: []byte{1}, TLSSPKI: bytes.Repeat([]byte{byte(i)}, 32),
		}
		if err := f.dir.AddDevice(ctx, d, "", nil, nil); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if _, err := f.dir.RetireDevice(ctx, d.ID); err != nil {
				t.Fatal(err)
			}
		}
		if i > 0 {
			f.others.inventories = append(f.others.inventories, d.ID)
		}
	}
	out, err := f.ExportSoftware(ctx, "moda")
	if err != nil || out.Devices != 1 || out.Without != 1 || out.Assets == nil {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := f.ExportSoftware(ctx, "nobody"); err == nil {
		t.Error("an agency that is not there")
	}
	if s, err := f.Software(ctx, "moda", "LT-0"); err != nil || s.Device != "LT-0" || s.Inventory.System != "debian" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := f.Software(ctx, "moda", "LT-2"); err == nil {
		t.Error("a device without an inventory")
	}
}
