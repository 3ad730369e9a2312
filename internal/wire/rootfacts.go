package wire

// RootFacts is what a configuration baseline asks of a machine that root alone
// may read: the helper's answer to one fixed question. It holds no secret: no
// password's hash, no rule of who may become whom.
type RootFacts struct {
	// SSHD is what `sshd -T` prints: a keyword in lower case and its value.
	SSHD RootFact `json:"sshd"`
	// SudoDefaults are the Defaults lines of sudoers(5) from after that word: a
	// space begins what holds for everybody, another sign what holds for some.
	SudoDefaults RootFact `json:"sudo_defaults"`
	// EmptyPasswords are the accounts that need no password.
	EmptyPasswords RootFact `json:"empty_passwords"`
	// Profiles are the loaded AppArmor profiles, as "name (mode)".
	Profiles RootFact `json:"profiles"`
	// BootPassword has "superusers" and "password" where GRUB's configuration
	// sets them.
	BootPassword RootFact `json:"boot_password"`
	// Homes are people's home directories as "account mode owner", the mode in
	// octal, the owner as a number.
	Homes RootFact `json:"homes"`
}

// RootFact is one answer. Without Problem and Absent, Lines are all there is.
type RootFact struct {
	Lines []string `json:"lines,omitempty"`
	// Absent says that what was asked for is not installed.
	Absent bool `json:"absent,omitempty"`
	// Problem says in English why there is no answer.
	Problem string `json:"problem,omitempty"`
}

// Bounds of a RootFact.
const (
	MaxRootFactLines = 4096
	MaxRootFactBytes = 256 << 10
)

// MaxSeen bounds RuleResult.Seen, in bytes.
const MaxSeen = 160
