// Package challenge has what Traefik's own challenges implement.
package challenge

import "context"

// Provider presents a challenge.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
