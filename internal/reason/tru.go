package reason

// Area TRU: what speaks for or against a session's trust. The codes below 020
// come from plugins, which write them as text.
const (
	NetworkKnown  = "ZT-TRU-001"
	NetworkNear   = "ZT-TRU-002"
	NetworkNew    = "ZT-TRU-003"
	NoHistory     = "ZT-TRU-010"
	NoAddress     = "ZT-TRU-011"
	TrustSignIn   = "ZT-TRU-020"
	TrustDevice   = "ZT-TRU-021"
	TrustHeld     = "ZT-TRU-022"
	TrustCapped   = "ZT-TRU-023"
	TrustBase     = "ZT-TRU-024"
	PluginDown    = "ZT-TRU-030"
	PluginLate    = "ZT-TRU-031"
	PluginExpired = "ZT-TRU-032"

	PluginNonsense = "ZT-TRU-033"
)
