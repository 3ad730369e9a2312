package firmware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Build returns the events of one boot, in order.
func Build(m Machine) ([]Event, error) {
	b := &boot{m: m}
	for _, phase := range []func() error{b.core, b.policy, b.drivers, b.settings, b.separators, b.start, b.shim, b.loader} {
		if err := phase(); err != nil {
			return nil, err
		}
	}
	return b.events, nil
}

// boot collects events.
type boot struct {
	m      Machine
	events []Event
	// shown are authorities that were measured already: each is once.
	shown []string
}

// add measures its own data.
func (b *boot) add(pcr int, kind uint32, data []byte) { b.measure(pcr, kind, data, data) }

func (b *boot) measure(pcr int, kind uint32, data, measured []byte) {
	b.events = append(b.events, Event{pcr, kind, data, measured})
}

// core is the firmware measuring itself.
func (b *boot) core() error {
	if l := b.m.StartupLocality; l != nil {
		b.add(0, NoAction, append([]byte("StartupLocality\x00"), *l))
	}
	b.add(0, SCRTMVersion, append(ucs2(b.m.FirmwareVersion), 0, 0))
	for i, volume := range []string{"PEI", "DXE"} {
		where := binary.LittleEndian.AppendUint64(nil, 0xff000000+uint64(i)<<20) // #nosec G115 -- 0 or 1
		where = binary.LittleEndian.AppendUint64(where, 1<<20)
		b.measure(0, FirmwareBlob, where, []byte(volume+" volume of "+b.m.FirmwareVersion))
	}
	return nil
}

// policy is Secure Boot's configuration in PCR 7 (3.3.4.8).
func (b *boot) policy() error {
	state, ok := map[SecureBoot][]byte{SecureBootOff: {0}, SecureBootOn: {1}, SecureBootEmpty: {}}[b.m.SecureBoot]
	if !ok {
		return errors.New("firmware: a SecureBoot variable of no known value")
	}
	b.add(7, VariableDriverConfig, variable(globalVariable, "SecureBoot", state))
	var pk []string
	if b.m.PK != "" {
		pk = []string{b.m.PK}
	}
	for _, list := range []struct {
		vendor guid
		name   string
		keys   []string
	}{{globalVariable, "PK", pk}, {globalVariable, "KEK", b.m.KEK}, {imageSecurity, "db", b.m.DB}} {
		value, err := keyLists(list.keys...)
		if err != nil {
			return err
		}
		b.add(7, VariableDriverConfig, variable(list.vendor, list.name, value))
	}
	b.add(7, VariableDriverConfig, variable(imageSecurity, "dbx", imageList(b.m.DBX...)))
	b.add(7, Separator, make([]byte, 4))
	return nil
}

func (b *boot) drivers() error {
	for _, rom := range b.m.OptionROMs {
		if err := b.authority(rom.Signer); err != nil {
			return err
		}
		b.image(2, BootServicesDriver, rom)
	}
	return nil
}

func (b *boot) settings() error {
	tables := binary.LittleEndian.AppendUint64(nil, 1)
	tables = append(tables, smbios3[:]...)
	tables = binary.LittleEndian.AppendUint64(tables, 0x7f000000)
	b.measure(1, HandoffTables, tables, []byte("SMBIOS tables, "+b.m.Setup))
	for _, v := range []struct {
		name  string
		value []byte
	}{{"BootOrder", []byte{0, 0}}, {"Boot0000", append([]byte{1, 0, 0, 0}, ucs2("debian\x00"+b.m.Shim.Path+"\x00")...)}} {
		// Of these the value alone is measured (EDK II; 10.4.1 has BOOT2 for the whole).
		b.measure(1, VariableBoot, variable(globalVariable, v.name, v.value), v.value)
	}
	return nil
}

func (b *boot) separators() error {
	b.add(4, Action, []byte("Calling EFI Application from Boot Option"))
	for _, pcr := range []int{0, 1, 2, 3, 4, 5, 6} {
		b.add(pcr, Separator, make([]byte, 4))
	}
	return nil
}

// start is the firmware handing over to shim.
func (b *boot) start() error {
	b.add(5, GPT, b.partitions())
	if err := b.authority(b.m.Shim.Signer); err != nil {
		return err
	}
	b.image(4, BootServicesApplication, b.m.Shim)
	return nil
}

// partitions is a UEFI_GPT_DATA of two partitions (10.2.4).
func (b *boot) partitions() []byte {
	disk := namedGUID("disk of " + b.m.Name)
	header := append([]byte("EFI PART"), 0, 0, 1, 0, 92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, block := range []uint64{1, 1<<20 - 1, 34, 1<<20 - 34} {
		header = binary.LittleEndian.AppendUint64(header, block)
	}
	header = append(header, disk[:]...)
	header = binary.LittleEndian.AppendUint64(header, 2)
	header = append(header, 128, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0) // entries, their size, their CRC
	out := binary.LittleEndian.AppendUint64(header, 2)
	for i, kind := range []guid{efiSystem, linuxData} {
		own := namedGUID(fmt.Sprint("partition ", i, " of ", b.m.Name))
		entry := append(append([]byte{}, kind[:]...), own[:]...)
		entry = binary.LittleEndian.AppendUint64(entry, 2048+uint64(i)<<18)         // #nosec G115 -- 0 or 1
		entry = binary.LittleEndian.AppendUint64(entry, 2048+uint64(i+1)<<18-1)     // #nosec G115 -- 1 or 2
		entry = append(binary.LittleEndian.AppendUint64(entry, 0), ucs2("part")...) // attributes, name
		out = append(out, append(entry, make([]byte, 128-len(entry))...)...)
	}
	return out
}

// shim is what shim measures: its own state, then what it verifies.
func (b *boot) shim() error {
	if b.m.SBAT != "" {
		b.add(7, VariableAuthority, variable(shimLock, "SbatLevel", []byte(b.m.SBAT)))
	}
	mok, err := keyLists(slices.Concat([]string{b.m.VendorKey}, b.m.MOK)...)
	if err != nil {
		return err
	}
	b.measure(14, IPL, []byte("MokList\x00"), mok)
	b.measure(14, IPL, []byte("MokListX\x00"), imageList("forbidden by shim"))
	if err := b.shimVerified(b.m.Loader.Signer); err != nil {
		return err
	}
	b.image(4, BootServicesApplication, b.m.Loader)
	return nil
}

// loader is what GRUB measures until the kernel has the machine.
func (b *boot) loader() error {
	for _, f := range b.m.Files {
		b.file(f)
	}
	for _, command := range b.m.Commands {
		b.measure(8, IPL, []byte("grub_cmd: "+command+"\x00"), []byte(command))
	}
	b.file(File{b.m.Kernel.Path, b.m.Kernel.Content})
	if !b.m.NoKernelImage {
		if err := b.shimVerified(b.m.Kernel.Signer); err != nil {
			return err
		}
		b.image(4, BootServicesApplication, Program{Content: b.m.Kernel.Content})
	}
	b.measure(8, IPL, []byte("kernel_cmdline: "+b.m.CommandLine+"\x00"), []byte(b.m.CommandLine))
	b.file(b.m.Initrd)
	b.add(5, Action, []byte("Exit Boot Services Invocation"))
	b.add(5, Action, []byte("Exit Boot Services Returned with Success"))
	return nil
}

func (b *boot) file(f File) { b.measure(9, IPL, []byte(f.Path+"\x00"), []byte(f.Content)) }

// image is a UEFI_IMAGE_LOAD_EVENT (10.2.3). A real digest is Authenticode's;
// here the content stands for it.
func (b *boot) image(pcr int, kind uint32, p Program) {
	var path []byte
	if p.Path != "" {
		path = devicePath(p.Path)
	}
	data := binary.LittleEndian.AppendUint64(nil, 0x6a000000)
	data = binary.LittleEndian.AppendUint64(data, uint64(len(p.Content)))
	data = binary.LittleEndian.AppendUint64(data, 0)
	data = binary.LittleEndian.AppendUint64(data, uint64(len(path)))
	b.measure(pcr, kind, append(data, path...), []byte(p.Content))
}

// devicePath is a file on a device: a media file path and the end (UEFI 2.10,
// 10.3.5.4 and 10.3.1).
func devicePath(path string) []byte {
	name := append(ucs2(path), 0, 0)
	node := binary.LittleEndian.AppendUint16([]byte{4, 4}, uint16(4+len(name))) // #nosec G115 -- a path
	return append(append(node, name...), 0x7f, 0xff, 4, 0)
}

// authority is the firmware saying which entry of db verified an image: once
// each, and only where Secure Boot is on.
func (b *boot) authority(signer string) error {
	if b.m.SecureBoot != SecureBootOn {
		return nil
	}
	if !slices.Contains(b.m.DB, signer) {
		return fmt.Errorf("firmware: Secure Boot refuses what %q signed", signer)
	}
	der, err := certificate(signer)
	if err != nil {
		return err
	}
	b.show("db "+signer, variable(imageSecurity, "db", entry(signer, der)))
	return nil
}

// shimVerified is the same for shim, which has keys of its own and logs the
// bare certificate.
func (b *boot) shimVerified(signer string) error {
	if b.m.SecureBoot != SecureBootOn {
		return nil
	}
	der, err := certificate(signer)
	if err != nil {
		return err
	}
	switch {
	case signer == b.m.VendorKey:
		b.show("Shim "+signer, variable(shimLock, "Shim", der))
	case slices.Contains(b.m.MOK, signer):
		b.show("MokList "+signer, variable(shimLock, "MokList", der))
	case slices.Contains(b.m.DB, signer):
		b.show("shim db "+signer, variable(imageSecurity, "db", der))
	default:
		return fmt.Errorf("firmware: shim refuses what %q signed", signer)
	}
	return nil
}

func (b *boot) show(once string, data []byte) {
	if !slices.Contains(b.shown, once) {
		b.shown = append(b.shown, once)
		b.add(7, VariableAuthority, data)
	}
}
