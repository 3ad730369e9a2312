package eventlog

import "strings"

// Owners of variables (UEFI 2.10, 3.3 and 32.6.1; shim).
const (
	globalGUID        = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	imageSecurityGUID = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
	shimGUID          = "605dab50-e046-4300-abb6-3dd810dd8b23"
)

// maxVariableName bounds a variable's name in characters.
const maxVariableName = 256

// variable is a UEFI_VARIABLE_DATA (Firmware Profile 1.06, 10.2.6).
type variable struct {
	owner string
	name  string
	data  []byte
	// trailing are bytes after the variable, which one version of shim leaves.
	trailing []byte
}

func parseVariable(raw []byte) (variable, bool) {
	c := cursor{rest: raw}
	var owner guid
	copy(owner[:], c.take(16))
	nameLength, dataLength := c.u64(), c.u64()
	if c.bad || nameLength > maxVariableName {
		return variable{}, false
	}
	name := c.take(2 * nameLength)
	v := variable{owner: owner.String(), data: c.take(dataLength), trailing: c.rest}
	v.name = strings.TrimRight(ucs2(name), "\x00")
	return v, !c.bad && v.name != "" && plain(v.name, maxText) == v.name
}

// label is the name that tells a variable apart from those of other owners.
func (v variable) label() string {
	switch v.owner {
	case globalGUID, imageSecurityGUID, shimGUID:
		return v.name
	}
	return v.name + "-" + v.owner
}

func (v variable) is(owner, name string) bool { return v.owner == owner && v.name == name }
