package fusion

import "time"

// Rising holds a score back while it rises. Its zero value has published
// nothing.
type Rising struct {
	published bool
	nats      float64   // what was published last
	signInAt  time.Time // the sign-in that it was published for
	// since is when the score began to be better by the margin; floor is the
	// lowest it was since then.
	since time.Time
	floor float64
}

// Publish returns what may be published of nats now. Lowering acts at once; a
// rise needs the margin held, or a fresh sign-in.
func (r *Rising) Publish(w *Weights, nats float64, signInAt, now time.Time) float64 {
	fresh := signInAt.After(r.signInAt)
	switch {
	case !r.published || fresh || nats <= r.nats:
		r.published, r.nats, r.signInAt, r.since = true, nats, signInAt, time.Time{}
	case nats < r.nats+w.Rising.Margin:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since, r.floor = now, nats
	default:
		r.floor = min(r.floor, nats)
		if now.Sub(r.since) >= w.Rising.Hold {
			r.nats, r.since = r.floor, time.Time{}
		}
	}
	return r.nats
}
