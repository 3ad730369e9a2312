// Package proxies tests every reverse proxy that Menshen ships a configuration
// for: the real program, with the configuration of installer/proxies in which
// addresses, paths and the secret alone are replaced, between a client that
// speaks byte for byte what it wants and an application that tells what
// reached it. The proxies' port behind it is the real one, on real sessions.
//
// One suite holds for all of them (pass, in suite_test.go). A proxy joins with
// a file of its own that starts it and a test that hands it to the suite.
//
// Whatever else a trial looks at, it holds that nothing reaches the application
// without a question of its own about the same method and the same address.
package proxies
