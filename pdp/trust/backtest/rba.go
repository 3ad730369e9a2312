package backtest

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Labels of the RBA data set.
const (
	Takeover Label = "takeover"  // Is Account Takeover
	AttackIP Label = "attack-ip" // Is Attack IP, and the sign-in succeeded
)

// rbaColumns is the header of the public RBA data set (Wiefling et al. 2022);
// a leading "index" is allowed, as its authors publish it.
func rbaColumns() []string {
	return []string{
		"Login Timestamp", "User ID", "Round-Trip Time [ms]", "IP Address", "Country", "Region", "City", "ASN",
		"User Agent String", "Browser Name and Version", "OS Name and Version", "Device Type",
		"Login Successful", "Is Attack IP", "Is Account Takeover",
	}
}

// Columns by number, without the index.
const (
	rbaTime = iota
	rbaUser
	_
	rbaIP
	_
	_
	_
	_
	rbaAgent
	_
	rbaSystem
	rbaDevice
	rbaSuccess
	rbaAttackIP
	rbaTakeover
)

const rbaTimeLayout = "2006-01-02 15:04:05.999"

// ReadRBA reads the CSV of the RBA data set, strictly: the header must be
// exactly that one. What the data set does not have stays empty, so plugins
// that need it abstain. The browser with its system stands for the device,
// which proves far less than a laptop's key does.
func ReadRBA(r io.Reader, sample Sample) ([]Event, error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, wrong(1, err.Error())
	}
	skip := 0
	if len(header) > 0 && (header[0] == "index" || header[0] == "") {
		skip = 1
	}
	if !slices.Equal(header[skip:], rbaColumns()) {
		return nil, wrong(1, "the header is not that of the RBA data set")
	}
	var out []Event
	for n := 2; ; n++ {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			InOrder(out)
			return out, nil
		case err != nil:
			return nil, wrong(n, err.Error())
		}
		e, problem := rbaEvent(row[skip:])
		if problem != "" {
			return nil, wrong(n, problem)
		}
		if !sample.takes(e.Person) {
			continue
		}
		if len(out) == maxEvents {
			return nil, ErrTooMany
		}
		out = append(out, e)
	}
}

func rbaEvent(row []string) (Event, string) {
	at, err := time.Parse(rbaTimeLayout, row[rbaTime])
	if err != nil {
		return Event{}, "no time such as 2020-02-03 12:43:30.772"
	}
	success, ok1 := truthOf(row[rbaSuccess])
	attackIP, ok2 := truthOf(row[rbaAttackIP])
	takeover, ok3 := truthOf(row[rbaTakeover])
	address, err := netip.ParseAddr(row[rbaIP])
	switch {
	case !ok1 || !ok2 || !ok3:
		return Event{}, "a truth value that is neither True nor False"
	case err != nil:
		return Event{}, "no IP address"
	case row[rbaUser] == "":
		return Event{}, "no user"
	}
	e := Event{Label: Genuine, Observation: wire.Observation{
		Kind: wire.ObservedSignIn, Person: strings.Clone(row[rbaUser]), At: at, Address: address.String(), IP: networkOf(address),
		Device: digest(row[rbaAgent], row[rbaSystem], row[rbaDevice]),
	}}
	switch {
	case takeover:
		e.Label = Takeover
	case attackIP && success:
		e.Label = AttackIP
	}
	if !success {
		e.Kind = wire.ObservedFailure
	}
	return e, ""
}

func truthOf(text string) (value, ok bool) {
	value, err := strconv.ParseBool(text)
	return value, err == nil && (text == "True" || text == "False")
}

// networkOf is the client's network as the PDP keeps it: a /24 or a /56.
func networkOf(a netip.Addr) string {
	bits := 56
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}

// digest is a pseudonym of texts.
func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
