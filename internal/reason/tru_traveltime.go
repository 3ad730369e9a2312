package reason

// What the plugin traveltime says.
const (
	TravelPlausible  = "ZT-TRU-110"
	TravelImpossible = "ZT-TRU-111"
	TravelAtOnce     = "ZT-TRU-112"
	TravelNoLocation = "ZT-TRU-113"
	TravelEgress     = "ZT-TRU-114"
)
