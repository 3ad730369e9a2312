package reason

// What the plugin threatlist says.
const (
	ListedAddress = "ZT-TRU-120"
	ListedFile    = "ZT-TRU-121"
	ListedNothing = "ZT-TRU-122"
	ListsNothing  = "ZT-TRU-123"
	ListsStale    = "ZT-TRU-124"
)
