package reason

// Area CFG, 110–129: the life of access policy sets.
const (
	SetExists       = "ZT-CFG-110"
	SetState        = "ZT-CFG-111"
	SetSameOfficer  = "ZT-CFG-112"
	SetOtherProgram = "ZT-CFG-113"
	SetNotVerified  = "ZT-CFG-114"
	SetTooMany      = "ZT-CFG-115"
	SetConfirm      = "ZT-CFG-116"
	SetUntried      = "ZT-CFG-117"
	SetNoRecords    = "ZT-CFG-118"
	SetDays         = "ZT-CFG-119"
	SetNoShadow     = "ZT-CFG-120"
	SetNoEarlier    = "ZT-CFG-121"
	SetWhatIfBusy   = "ZT-CFG-122"
	SetTooLarge     = "ZT-CFG-123"
	SetNote         = "ZT-CFG-124"
	SetCasesFail    = "ZT-CFG-125"
	SetCasesBad     = "ZT-CFG-126"
	// Why a replay of recorded decisions ended before its time was covered.
	SetTooManyPeople = "ZT-CFG-127"
	SetTooLong       = "ZT-CFG-128"
	SetRecordFailed  = "ZT-CFG-129"
)

// Area POL, 080–089: no policy set is in force.
const PolicyUntrusted = "ZT-POL-080"
