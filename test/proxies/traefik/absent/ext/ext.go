// Package ext is where a build of Traefik may add to its configuration; this
// one adds nothing.
package ext

// HTTP adds nothing to the HTTP configuration.
type HTTP struct{}

// Router adds nothing to a router.
type Router struct{}
