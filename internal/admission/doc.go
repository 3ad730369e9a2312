// Package admission keeps a server answering while more is asked of it than it
// can do (SP 800-207 §3.2.3: the portal model is exposed to flooding;
// requirements 14).
//
// Gate bounds the work of one kind that is under way; what waits for it is
// bounded in number and time, and the rest is told at once to come again (503
// with Retry-After, RFC 9110, 15.6.4). Crowd bounds the connections of a
// listener: where there are too many, one that does nothing gives way, of the
// network that holds most. So work of another kind, and other networks, go on.
package admission
