// Package policy is the Policy Engine of NIST SP 800-207: it turns the Facts
// of one session and a graded action into a Decision.
//
// Access policies are written in Cedar (cedar-go) against the schema in
// schema.cedarschema. Load validates every policy against it in strict mode:
// an unknown entity type, attribute or action is refused with its file and
// line, before it can be skipped at run time.
//
// Guarantees:
//   - default deny, and forbid overrides permit;
//   - any evaluation error denies. Cedar itself skips a policy that errors, a
//     forbid too, so the engine looks at the diagnostics and never at the
//     decision alone;
//   - every fact reaches the policies as a value that is always there: what is
//     not known is a value that affirms nothing ("", false, 0, an age beyond
//     every limit). So no policy needs `has`, and nothing is gained by absence
//     (requirements 10, 14);
//   - a denial, and an allow that leaves reading only, carries the smallest set
//     of changes that turns it into an allow, where one of at most MaxChanges
//     exists: the engine decides on the facts as they would be after them. No
//     smaller set exists; the search is bounded by a number of evaluations,
//     and where it finds nothing nothing is claimed. Nothing is improved but
//     what a person can change, and no remedy gives a withheld reason away;
//   - a denial whose smallest set is a fresh sign-in alone is StepUp. The score
//     alone never denies for good (requirements 33);
//   - a decision ends with the earliest of its inputs. Ages are compared with
//     numbers that stand in the policies, so the moment when an age, or the
//     minute of the day, passes one of these numbers ends it too. Where a
//     policy calculates with the time it lives ten seconds.
//
// The package is pure: no clock, no files, no log. The shipped Class A
// baseline lies in baseline/ and works unedited; what it must answer lies in
// baseline/cases/, as data that an agency can extend (ParseCases, Check).
//
// Annotations that the engine reads:
//
//	@id("…")        every policy, unique in the set
//	@reason("ZT-…") every forbid: the code a person is told
//	@claim("…")     forbid: the findings about this claim tell more; fallback is @reason
//	@findings("…")  forbid: "device" tells all findings of the attestation; fallback is @reason
//	@remedy("…")    forbid: sign-in, fix-claim, attest, register-key, ask-admin or
//	                wait; told where no set of changes is known to help
package policy
