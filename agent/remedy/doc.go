// Package remedy is the process that puts right what an administrator of this
// machine allowed, and can undo it (design: section 2; requirements 21).
//
// It is root's, apart from the helper, which only reads. What it does is fixed:
// a question names one of three remedies and whether to apply or undo it, and
// carries no path, command or value. It answers the agent's user and root
// alone, applies only what agent.yaml, which is root's own, allows, and undoes
// for root alone.
//
// Before it changes anything it records durably what was there. So after a
// crash at any point, undo restores exactly that. Everything done is written to
// a durable log and to the journal.
package remedy
