package wire

// The values between the AuthZEN port and what answers an application's
// questions (OpenID AuthZEN Authorization API 1.0, Information Model).

// SubjectSession is the type of a subject that is a live session of the
// caller's portal; its id is the "sid" of the portal's access token.
// ResourcePortal is the type of the portal itself as a resource.
const (
	SubjectSession = "menshen-session"
	ResourcePortal = "portal"
)

// Asked is a subject or a resource as a caller names it. Properties are a JSON
// object as it was sent, nil where there was none: claims of the caller, which
// nobody has checked.
type Asked struct {
	Type, ID   string
	Properties []byte
}

// AskedAction is an action as a caller names it.
type AskedAction struct {
	Name       string
	Properties []byte
}

// Question is one access question. Context is a JSON object as it was sent, nil
// where there was none.
type Question struct {
	Subject  Asked
	Action   AskedAction
	Resource Asked
	Context  []byte
}

// Answer is what a Question is answered. Its zero value denies.
type Answer struct {
	Allowed bool
	// StepUp says of a denial that a fresh touch of the key would turn it.
	StepUp bool
	// Reasons say why it is not allowed.
	Reasons []Reason
	// Texts are an application's own words for a denial, by language; nil if
	// it has none.
	Texts map[string]string
	// Policies are the ids of those that determined the answer.
	Policies []string
}

// Refused is a denial for one reason.
func Refused(why Reason) Answer { return Answer{Reasons: []Reason{why}} }
