// Package arch holds the rules of this source tree, each with the reason
// beside it, and judges the tree by them in its test: which package may import
// which (design.md, section 2), which packages are pure, who owns a
// dependency, and what no package may do.
//
// A rule looks at the files of every operating system that the code is built
// for. Test files are exempt where a rule does not name them. Each rule has
// archives in testdata that break it, so that it is known to fail.
package arch
