package enrolment

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
)

// Bounds of a list.
const (
	MaxListBytes   = 4 << 20
	MaxListDevices = 10000
	// MaxCodes is how many codes are issued at once.
	MaxCodes = 1000
)

// Columns of lists.
const (
	columnEK     = "ek_sha256"
	columnName   = "device_name"
	columnAgency = "agency"
	columnOwner  = "owner"
	columnGroup  = "group"
)

// row is one line of a list.
type row struct {
	line   int
	values map[string]string
}

// wrongLine refuses a list for one of its lines.
func wrongLine(code string, line int, args ...string) *Refusal {
	return refuse(nil, code, append([]string{"line", strconv.Itoa(line)}, args...)...)
}

// readList reads CSV (RFC 4180) in UTF-8 whose first line names the columns:
// the required ones and any of the optional ones. Nothing is guessed, and no
// value of the unique columns, upper and lower case alike, may stand twice.
func readList(text []byte, most int, required, optional, unique []string) ([]row, error) {
	if len(text) > MaxListBytes {
		return nil, refuse(nil, reason.CfgListSize, "most", strconv.Itoa(most))
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets write one
	r := csv.NewReader(bytes.NewReader(text))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, refuse(nil, reason.CfgListEmpty)
	}
	if err != nil {
		return nil, unread(err)
	}
	if err := checkHeader(header, required, optional); err != nil {
		return nil, err
	}
	var rows []row
	first := map[string]int{} // column and value → the line where it stood first
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unread(err)
		}
		if len(rows) == most {
			return nil, refuse(nil, reason.CfgListSize, "most", strconv.Itoa(most))
		}
		one := row{values: make(map[string]string, len(header))}
		one.line, _ = r.FieldPos(0)
		for i, column := range header {
			one.values[column] = record[i]
		}
		for _, column := range unique {
			value := column + "\x00" + strings.ToLower(one.values[column])
			if at, twice := first[value]; twice {
				return nil, wrongLine(reason.CfgListTwice, one.line, "column", column, "first", strconv.Itoa(at))
			}
			first[value] = one.line
		}
		rows = append(rows, one)
	}
	if len(rows) == 0 {
		return nil, refuse(nil, reason.CfgListEmpty)
	}
	return rows, nil
}

func checkHeader(header, required, optional []string) error {
	wrong := refuse(nil, reason.CfgListHeader, "columns", strings.Join(slices.Concat(required, optional), ", "))
	for i, column := range header {
		if !slices.Contains(required, column) && !slices.Contains(optional, column) || slices.Contains(header[:i], column) {
			return wrong
		}
	}
	for _, column := range required {
		if !slices.Contains(header, column) {
			return wrong
		}
	}
	return nil
}

func unread(err error) error {
	line := 1
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		line = wrong.Line
	}
	return refuse(err, reason.CfgListUnread, "line", strconv.Itoa(line))
}

// digestOf reads SHA-256 in hexadecimal.
func digestOf(text string) (digest [32]byte, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(digest) {
		return digest, false
	}
	return [32]byte(raw), true
}
