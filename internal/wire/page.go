package wire

// DenialPage is what the page about a refused request shows a person. The
// proxies' port fills it, the pages render it.
type DenialPage struct {
	Portal   Portal
	Decision Decision
	// Person and Device are names for people; empty where nobody has signed
	// in, or where no laptop is bound.
	Person string
	Device string
	// Claims and Findings are the device's last Attestation Result's.
	Claims   []Claim
	Findings []Finding
	// Doubts are what lowered the trust score, the most first, where the score is
	// among the decision's reasons.
	Doubts []Reason
	// ReturnPath is where "continue" leads on the portal's host; it is used
	// only where CheckReturnPath accepts it.
	ReturnPath string
	// ReadAllowed says that the same page may still be read (a write was
	// refused).
	ReadAllowed bool
}
