package reason

// Area KEY: security keys, signing in with them, and the sign-in's browser.
const (
	// What happens at the key or in the browser.
	KeyNotUsed           = "ZT-KEY-001"
	KeyAlreadyRegistered = "ZT-KEY-002"
	KeySynced            = "ZT-KEY-003"
	KeyUserNotVerified   = "ZT-KEY-004"
	KeyBrowser           = "ZT-KEY-005"
	KeyNetwork           = "ZT-KEY-006"

	// What the PDP finds of the key and its person.
	KeyUnknown        = "ZT-KEY-010"
	KeyIsRevoked      = "ZT-KEY-011"
	KeyCloned         = "ZT-KEY-012"
	KeyPersonDisabled = "ZT-KEY-013"
	KeyNotProven      = "ZT-KEY-014"
	KeyTestRefused    = "ZT-KEY-015"
	KeyTouchNeeded    = "ZT-KEY-016"

	// The sign-in itself.
	KeySignInExpired = "ZT-KEY-020"
	KeySignInSpent   = "ZT-KEY-021"
	KeyNoHandle      = "ZT-KEY-022"
	KeyForeignPage   = "ZT-KEY-023"
	KeyOtherNetwork  = "ZT-KEY-024"

	// Registration and attestation.
	KeyLinkInvalid          = "ZT-KEY-030"
	KeyNotAttested          = "ZT-KEY-031"
	KeySelfAttested         = "ZT-KEY-032"
	KeyModelUnknown         = "ZT-KEY-033"
	KeyModelNotPermitted    = "ZT-KEY-034"
	KeyModelNotHardware     = "ZT-KEY-035"
	KeyNotCertified         = "ZT-KEY-036"
	KeyAttestationUntrusted = "ZT-KEY-037"
	KeyMetadataMissing      = "ZT-KEY-038"
	KeyModelCompromised     = "ZT-KEY-039"
	KeyNickname             = "ZT-KEY-040"

	// Browser and laptop.
	KeyAgentNotReached      = "ZT-KEY-050"
	KeyLoopbackNotAllowed   = "ZT-KEY-051"
	KeyDeviceNotConfirmed   = "ZT-KEY-052"
	KeyReturnCodeWrong      = "ZT-KEY-053"
	KeyConfirmationRefused  = "ZT-KEY-054"
	KeyConfirmationReplayed = "ZT-KEY-055"

	// What the pages themselves have to say.
	KeyCodeOnly = "ZT-KEY-060"
)
