package firmware

import "slices"

// Machine describes a PC and what is installed on it. Keys and programs are
// named by texts: the same text stands for the same key, or the same bytes.
type Machine struct {
	// Name tells machines of one model apart: their disks have other GUIDs.
	Name string
	// FirmwareVersion is that of the S-CRTM; the firmware's volumes follow it.
	FirmwareVersion string
	// StartupLocality is where TPM2_Startup was called, logged if not nil. A
	// software TPM starts at locality 0.
	StartupLocality *byte
	// Setup is the firmware's settings, as PCR 1 has them.
	Setup string
	// OptionROMs are drivers on cards, each with the key that signed it.
	OptionROMs []Program

	SecureBoot SecureBoot
	// PK is one key's name, KEK and DB are several. DBX are the forbidden
	// images' contents, as texts.
	PK           string
	KEK, DB, DBX []string

	// Shim is signed by a key of DB; Loader and Kernel by one of DB, of MOK, or
	// by VendorKey, which is built into shim.
	Shim, Loader, Kernel Program
	VendorKey            string
	// MOK are the machine owner's keys.
	MOK []string
	// SBAT is the revocation level that shim keeps, such as "sbat,1,2024010900\n".
	SBAT string

	Initrd File
	// Commands are the boot loader's own, in order; CommandLine is the kernel's, with
	// its path first as GRUB measures it.
	Commands    []string
	CommandLine string
	// Files are what the boot loader read beside kernel and initrd.
	Files []File
	// NoKernelImage says that the boot loader started the kernel by itself, so
	// that neither shim nor the firmware measured it as an image.
	NoKernelImage bool
}

// SecureBoot says what the firmware's variable of that name holds.
type SecureBoot int

// Values of the SecureBoot variable. Some firmware that cannot do it, or is
// not asked to, measures a variable of no length.
const (
	SecureBootOff SecureBoot = iota
	SecureBootOn
	SecureBootEmpty
)

// Program is an EFI image.
type Program struct {
	Path    string
	Content string
	Signer  string // name of the key that verifies it
}

// File is one that the boot loader reads, or IMA measures.
type File struct{ Path, Content string }

// Laptop is a machine with Secure Boot on and Debian-like software: what most
// tests start from and change in one place. Each call returns slices of its own.
func Laptop(name string) Machine {
	const release = "6.12.48-amd64"
	return Machine{
		Name:            name,
		FirmwareVersion: "1.20.4",
		Setup:           "virtualisation=on",
		OptionROMs:      []Program{{Path: "PXE", Content: "network boot 2.1", Signer: "Example UEFI CA 2023"}},
		SecureBoot:      SecureBootOn,
		PK:              "Example PC Maker PK",
		KEK:             []string{"Example PC Maker KEK", "Example UEFI KEK 2023"},
		DB:              []string{"Example PC Maker", "Example UEFI CA 2023"},
		DBX:             []string{"shim 0.9", "grub 2.02"},
		Shim:            Program{`\EFI\debian\shimx64.efi`, "shim 15.8", "Example UEFI CA 2023"},
		Loader:          Program{`\EFI\debian\grubx64.efi`, "grub 2.12-9", "Example Linux Vendor"},
		Kernel:          Program{"/boot/vmlinuz-" + release, "linux 6.12.48-1", "Example Linux Vendor"},
		VendorKey:       "Example Linux Vendor",
		SBAT:            "sbat,1,2024010900\nshim,4\ngrub,3\n",
		Initrd:          File{"/boot/initrd.img-" + release, "initrd of " + release},
		Commands:        []string{"set root=hd0,gpt2", "linux /boot/vmlinuz-" + release, "initrd /boot/initrd.img-" + release},
		CommandLine:     "/boot/vmlinuz-" + release + " root=/dev/mapper/vg-root ro quiet",
		Files:           []File{{"/boot/grub/grub.cfg", "menu of " + release}, {"/boot/grub/x86_64-efi/normal.mod", "normal 2.12-9"}},
	}
}

// UpdateKernel returns the machine after an update of its kernel, signed by the
// same key: a new image and initrd under new names, and the menu that says so.
func (m Machine) UpdateKernel(release, content string) Machine {
	m.Kernel.Path, m.Kernel.Content = "/boot/vmlinuz-"+release, content
	m.Initrd = File{"/boot/initrd.img-" + release, "initrd of " + release}
	m.Commands = []string{"set root=hd0,gpt2", "linux /boot/vmlinuz-" + release, "initrd /boot/initrd.img-" + release}
	m.CommandLine = "/boot/vmlinuz-" + release + " root=/dev/mapper/vg-root ro quiet"
	m.Files = slices.Clone(m.Files)
	for i, f := range m.Files {
		if f.Path == "/boot/grub/grub.cfg" {
			m.Files[i].Content = "menu of " + release
		}
	}
	return m
}
