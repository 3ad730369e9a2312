package wire

import "time"

// EvaluationInputs is everything that one request of an application was
// answered from, so that it can be answered again. Like DecisionInputs it is
// canonical.
type EvaluationInputs struct {
	// Salt is random and kept here alone.
	Salt []byte `json:"salt"`
	// ID is the record's, At the time that everything in it was judged at.
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Endpoint  string    `json:"endpoint"`
	RequestID string    `json:"request_id,omitempty"`
	// Body is the request's, as it was sent.
	Body []byte `json:"body"`
	// Rules is the number of the application's rules among its portal's, 0
	// where it had none. RulesBroken says that they could not be loaded.
	Rules       int    `json:"rules,omitempty"`
	RulesBroken bool   `json:"rules_broken,omitempty"`
	Looks       []Look `json:"looks,omitempty"`
}

// Look is one look at a session: the PDP's own decision about it.
type Look struct {
	Session string `json:"session"`
	// From is where the client was, as the caller said; empty without a word.
	From  string `json:"from,omitempty"`
	Grade Action `json:"grade"`
	Class string `json:"class,omitempty"`
	// Why says of a session that it was not live, Decided what the decision
	// about a live one was taken from. One of both is there.
	Why     *Reason         `json:"why,omitempty"`
	Decided *DecisionInputs `json:"decided,omitempty"`
}

// EvaluationDetail is the detail of an AuditEvaluation record: what anybody who
// may read the log sees.
type EvaluationDetail struct {
	Protocol string `json:"protocol"`
	Endpoint string `json:"endpoint"`
	// RequestID is the caller's own name for the request.
	RequestID string            `json:"request_id,omitempty"`
	Basis     []EvaluationBasis `json:"basis,omitempty"`
	// Results are those of evaluations; Found are a search's.
	Results []EvaluationResult `json:"results,omitempty"`
	Found   []string           `json:"found,omitempty"`
	// InputsDigest is SHA-256 over the canonical EvaluationInputs, hexadecimal.
	InputsDigest string `json:"inputs_digest"`
	// Persons are whose sessions were asked about, where they are several's:
	// the inputs are sealed under the keys of all.
	Persons []string `json:"persons,omitempty"`
	// Unsealed is the code that says why the record does not hold the inputs.
	Unsealed string `json:"unsealed,omitempty"`
}

// EvaluationBasis is what answers stand on.
type EvaluationBasis struct {
	// Session, Person and Device are ids, empty where no session was asked about.
	Session string `json:"-"`
	Person  string `json:"-"`
	Device  string `json:"-"`
	// Application and Policy are the versions of the rules.
	Application string `json:"application,omitempty"`
	Policy      string `json:"policy,omitempty"`
}

// EvaluationResult is one question's, in the order of the request.
type EvaluationResult struct {
	Question string   `json:"question,omitempty"`
	Allowed  bool     `json:"allowed"`
	StepUp   bool     `json:"step_up,omitempty"`
	Code     string   `json:"code,omitempty"`
	Policies []string `json:"policies,omitempty"`
}
