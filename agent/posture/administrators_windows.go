package posture

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	netapi           = windows.NewLazySystemDLL("netapi32.dll")
	localGroupGetAll = netapi.NewProc("NetLocalGroupGetMembers")
)

// localGroupMember is LOCALGROUP_MEMBERS_INFO_2.
type localGroupMember struct {
	sid  *windows.SID
	use  uint32
	name *uint16 // DOMAIN\name
}

const (
	memberLevel = 2
	wholeList   = 0xffffffff // MAX_PREFERRED_LENGTH
)

// Administrators implements Windows.
func (thisWindows) Administrators() ([]string, error) {
	sid, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return nil, err
	}
	group, _, _, err := sid.LookupAccount("")
	if err != nil {
		return nil, err
	}
	wide, err := windows.UTF16PtrFromString(group)
	if err != nil {
		return nil, err
	}
	var buffer *byte
	var read, total uint32
	status, _, _ := localGroupGetAll.Call(0, uintptr(unsafe.Pointer(wide)), memberLevel,
		uintptr(unsafe.Pointer(&buffer)), wholeList, uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0) // #nosec G103 -- the system call's own form
	if status != 0 {
		return nil, fmt.Errorf("NetLocalGroupGetMembers: %d", status)
	}
	defer func() { _ = windows.NetApiBufferFree(buffer) }()
	members := unsafe.Slice((*localGroupMember)(unsafe.Pointer(buffer)), read) // #nosec G103 -- as above
	names := make([]string, 0, len(members))
	for _, member := range members {
		names = append(names, windows.UTF16PtrToString(member.name))
	}
	return names, nil
}
