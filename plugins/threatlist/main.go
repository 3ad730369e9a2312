// Command threatlist is the inference plugin that looks whether the address a
// person comes from, or a file that the person's device ran, is on a list of
// known threats. It keeps nothing of anybody.
//
// The lists are local files, which somebody else fetches (this program needs no
// network): the settings networks and files name them. A list of networks has a
// network (CIDR) or an address per line, a list of files a SHA-256 digest of 64
// hexadecimal digits. # begins a comment, blank lines count nothing. Everything
// else is an error with the line's number: bits below a network's mask, a
// network larger than an IPv4 /8 or an IPv6 /16, a last line without its end (a
// file that is still being written), a list with nothing on it. At the start an
// error ends the program. Later a file is read again when its size or its time
// has changed, which is looked at as often as the setting every says ("10s");
// where a list is exchanged for a new file, the sandbox has to show the plugin
// its folder. A version with an error is told of on standard error, and the one
// before it stays in use.
//
// A list that has not been renewed for longer than max_age ("168h" unless it is
// set) is not used: of what is on no fresh list the plugin then abstains, and
// when no list is fresh it says that it is not ready.
//
// A match speaks against the person by a prior that is written down in score.go,
// for no list says how often it is wrong. That something is on no list says
// nothing: lists know a small part of what they are about.
//
// Limits: all lists together hold 2,097,152 entries, of 32 bytes each, twice
// while a list is read anew. Networks within networks are held once. It trusts
// the lists: whoever can write one can have any address asked for a touch.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func main() {
	set := settings{MaxAge: "168h", Every: "10s"}
	if err := contract.Settings(&set); err != nil {
		fail(err)
	}
	lists, err := openLists(set, time.Now)
	if err != nil {
		fail(err)
	}
	go func() {
		for range time.Tick(lists.every) {
			for _, problem := range lists.poll() {
				fmt.Fprintln(os.Stderr, "threatlist:", problem)
			}
		}
	}()
	contract.Serve(&threatList{lists: lists})
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "threatlist:", err)
	os.Exit(1)
}
