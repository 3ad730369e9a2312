// Package packages tests the Debian packages as a machine meets them: built
// twice and compared, installed by dpkg in a throw-away copy of this machine,
// run, removed, and their service units judged by systemd.
package packages
