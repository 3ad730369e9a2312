// Package storetest is the suite that every implementation of store.Store
// passes: what each call means, what concurrent callers may see, what watchers
// hear, and what survives a closing and a kill -9.
package storetest
