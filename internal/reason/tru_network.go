package reason

// What the plugin networknovelty says where it has data bases of addresses.
const (
	NetworkOperator   = "ZT-TRU-004"
	NetworkNewCountry = "ZT-TRU-005"
)
