// Package acme has the names that Traefik keeps accounts by.
package acme

// Account is an account.
type Account struct{}

// ExtendedAccount is one with its address.
type ExtendedAccount struct {
	Account

	Location string
}
