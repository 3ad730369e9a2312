package eventlog

import (
	"fmt"
	"strings"
)

// Nodes of a device path (UEFI 2.10, 10.3), as type and subtype.
const (
	nodeEnd    = 0x7fff
	nodePCI    = 0x0101
	nodeACPI   = 0x0201
	nodeDisk   = 0x0401
	nodeFile   = 0x0404
	nodeFVFile = 0x0406
	nodeFV     = 0x0407
	nodeOffset = 0x0408
)

// maxNodes bounds a device path.
const maxNodes = 32

// image is what an EFI_IMAGE_LOAD_EVENT (Firmware Profile 1.06, 10.2.3) says of
// where an image came from. Nothing of it is covered by the event's digest,
// which is the image's own (Authenticode).
type image struct {
	// name is the file's path without device, in small letters and with
	// slashes; or the firmware volume's file; or the PCI slots; or empty.
	name string
	// path is the whole device path for people.
	path string
}

func parseImage(data []byte) image {
	c := cursor{rest: data}
	c.take(24) // where it was loaded, its length and link address: not stable
	c = cursor{rest: c.take(c.u64())}
	var file, slots, all []string
	volume := ""
	for range maxNodes {
		kind := int(c.u8())<<8 | int(c.u8())
		length := c.u16()
		if c.bad || kind == nodeEnd || length < 4 {
			break
		}
		node := c.take(uint64(length) - 4)
		text := nodeText(kind, node)
		all = append(all, text)
		switch kind {
		case nodeFile:
			file = append(file, text)
		case nodePCI:
			slots = append(slots, text)
		case nodeFVFile:
			volume = text
		}
	}
	found := image{path: plain(strings.Join(all, "/"), maxDetail)}
	switch {
	case len(file) > 0:
		found.name = filePath(file)
	case volume != "":
		found.name = volume
	default:
		found.name = strings.Join(slots, "/")
	}
	return found
}

// filePath makes one path of a device path's parts. The file systems that
// firmware reads do not tell letters' cases apart.
func filePath(parts []string) string {
	path := strings.ToLower(strings.ReplaceAll(strings.Join(parts, "/"), `\`, "/"))
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return plain(path, maxText)
}

func nodeText(kind int, node []byte) string {
	c := cursor{rest: node}
	switch kind {
	case nodePCI:
		function, device := c.u8(), c.u8()
		return fmt.Sprintf("pci(%x.%x)", device, function)
	case nodeACPI:
		hid, uid := c.u32(), c.u32()
		return fmt.Sprintf("acpi(%x,%x)", hid, uid)
	case nodeDisk:
		return fmt.Sprintf("disk(%d)", c.u32())
	case nodeFile:
		return strings.TrimRight(ucs2(node), "\x00")
	case nodeFVFile, nodeFV:
		var g guid
		copy(g[:], node)
		return "fv(" + g.String() + ")"
	case nodeOffset:
		return "offset"
	}
	return fmt.Sprintf("%d.%d", kind>>8, kind&0xff)
}
