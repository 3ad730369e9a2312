package eventlog

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestGenuineBoot(t *testing.T) {
	l := logOf(genuine())
	raw := l.Marshal()
	pcrs := quoted(l, sha256Bank(), 0)
	boot, problems := Read(raw, pcrs)
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	var values []byte
	for _, p := range pcrs {
		if p.Index != wire.RunTimePCR {
			values = append(values, p.Digest...)
		}
	}
	log, over := sha256.Sum256(raw), sha256.Sum256(values)
	if !bytes.Equal(boot.LogDigest, log[:]) || !bytes.Equal(boot.PCRDigest, over[:]) || boot.SecureBoot != wire.SecureBootOn {
		t.Errorf("%x %x %s", boot.LogDigest, boot.PCRDigest, boot.SecureBoot)
	}
	want := []string{
		"0 firmware crtm-version", "0 firmware blob",
		"7 secure-boot SecureBoot", "7 pk PK", "7 kek KEK", "7 db db", "7 dbx dbx", "7 separator separator",
		"2 option-rom pci(1c.0)", "4 action Calling EFI Application from Boot Option",
		"0 separator separator", "1 separator separator", "2 separator separator", "3 separator separator",
		"4 separator separator", "5 separator separator", "6 separator separator",
		"5 partitions gpt", "7 authority db", "4 boot-application /efi/debian/shimx64.efi", "14 mok MokList",
		"7 policy SbatLevel", "4 boot-application /efi/debian/grubx64.efi", "9 file /EFI/debian/grub.cfg",
		"8 loader-command set root", "9 file /vmlinuz-6.1", "8 command-line kernel", "4 boot-application #3",
		"5 action Exit Boot Services Invocation",
	}
	if len(boot.Measurements) != len(want) {
		t.Fatalf("%d measurements, want %d", len(boot.Measurements), len(want))
	}
	for i, m := range boot.Measurements {
		if got := fmt.Sprintf("%d %s %s", m.PCR, m.Kind, m.Name); got != want[i] {
			t.Errorf("measurement %d is %q, want %q", i, got, want[i])
		}
		if e := l.Events[i]; !bytes.Equal(m.Digest, e.Digests[0].Value) || m.Type != e.Type {
			t.Errorf("%s: digest or type of another event", m.Name)
		}
	}
	certificateDigest := sha256.Sum256(certificate)
	for _, at := range []int{atPK, atKEK, atDB, atAuthority} {
		if m := boot.Measurements[at]; len(m.Members) != 1 || !bytes.Equal(m.Members[0], certificateDigest[:]) {
			t.Errorf("%s: members %x", m.Name, m.Members)
		}
	}
	if m := boot.Measurements[atDBX]; len(m.Members) != 2 {
		t.Errorf("dbx: members %x", m.Members)
	}
	if m := boot.Measurements[atCmdline]; m.Detail != "/vmlinuz-6.1 ro quiet" || !m.Verified {
		t.Errorf("command line %q", m.Detail)
	}
	if m := boot.Measurements[atShim]; m.Verified {
		t.Error("an image's path is taken for measured")
	}
}

// Only one fault, and the boot is not read.
func TestNothingIsReadOfAForgedLog(t *testing.T) {
	l := logOf(genuine())
	pcrs := quoted(l, sha256Bank(), 0)
	pcrs[9].Digest = bytes.Repeat([]byte{1}, 32)
	boot, problems := Read(l.Marshal(), pcrs)
	if len(problems) != 1 || len(boot.PCRDigest) > 0 || len(boot.Measurements) > 0 || boot.SecureBoot != "" || len(boot.LogDigest) == 0 {
		t.Errorf("%+v %+v", boot, problems)
	}
}

// What the kernel extends as the machine runs is not the firmware's to explain.
func TestTheRunTimePCRIsNotTheLogs(t *testing.T) {
	l := logOf(genuine())
	pcrs := quoted(l, sha256Bank(), 0)
	for i := range pcrs {
		if pcrs[i].Index == wire.RunTimePCR {
			pcrs[i].Digest = bytes.Repeat([]byte{7}, sha256.Size)
		}
	}
	boot, problems := Read(l.Marshal(), pcrs)
	if len(problems) > 0 || boot.PCRDigest == nil {
		t.Errorf("%+v", problems)
	}
}
