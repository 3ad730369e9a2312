package strictjson

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

type inner struct {
	Flag bool   `json:"flag"`
	Raw  []byte `json:"raw"`
}

type message struct {
	Name  string            `json:"name"`
	Count int               `json:"count"`
	Inner inner             `json:"inner"`
	List  []string          `json:"list"`
	Map   map[string]string `json:"map"`
}

const limit = 1000

func TestWhatIsMeantIsRead(t *testing.T) {
	var m message
	doc := `{"name":"假 \ud83d\ude00","count":-3,"inner":{"flag":true,"raw":"AQI="},"list":["a"],"map":{"k":"v"}}` + "\n"
	if err := Decode(strings.NewReader(doc), limit, &m); err != nil {
		t.Fatal(err)
	}
	want := message{Name: "假 😀", Count: -3, Inner: inner{true, []byte{1, 2}}, List: []string{"a"}, Map: map[string]string{"k": "v"}}
	if !reflect.DeepEqual(m, want) {
		t.Fatalf("%+v", m)
	}
}

func TestWhatIsNotStrictIsRefused(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing":               "",
		"half a document":       `{"name":"a"`,
		"trailing document":     `{"name":"a"}{"name":"b"}`,
		"trailing word":         `{"name":"a"} x`,
		"trailing comma":        `{"name":"a",}`,
		"unknown field":         `{"name":"a","admin":true}`,
		"unknown field below":   `{"inner":{"flog":true}}`,
		"doubled key":           `{"name":"a","name":"b"}`,
		"doubled key below":     `{"inner":{"flag":true,"flag":false}}`,
		"doubled key escaped":   `{"name":"a","n\u0061me":"b"}`,
		"doubled key in a map":  `{"map":{"k":"1","k":"2"}}`,
		"other case":            `{"Name":"a"}`,
		"both cases":            `{"name":"a","NAME":"b"}`,
		"wrong type":            `{"count":"3"}`,
		"fraction":              `{"count":1.5}`,
		"too large a number":    `{"count":123456789012345678901234567890}`,
		"base64 without end":    `{"inner":{"raw":"AQI"}}`,
		"base64url":             `{"inner":{"raw":"_-8="}}`,
		"invalid UTF-8":         "{\"name\":\"\xff\"}",
		"invalid UTF-8 in keys": "{\"na\xffme\":\"a\"}",
		"lone surrogate":        `{"name":"\ud800"}`,
		"comment":               `{"name":"a" /* b */}`,
		"single quotes":         `{'name':'a'}`,
		"byte order mark":       "\ufeff{}",
		"NUL":                   "{}\x00",
		"array":                 `[]`,
		"not a number":          `{"count":NaN}`,
		"deep nesting":          strings.Repeat("[", 900),
	} {
		var m message
		err := Decode(strings.NewReader(doc), limit, &m)
		if err == nil {
			t.Errorf("%s: accepted as %+v", name, m)
		}
		if errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheBoundIsExact(t *testing.T) {
	doc := `{"name":"` + strings.Repeat("x", limit-len(`{"name":""}`)) + `"}`
	if len(doc) != limit {
		t.Fatal(len(doc))
	}
	var m message
	if err := Decode(strings.NewReader(doc), limit, &m); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	for name, more := range map[string]string{"one more": doc + " ", "much more": doc + strings.Repeat(" ", 1<<20)} {
		if err := Decode(strings.NewReader(more), limit, &m); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoMoreThanTheBoundIsRead lets a body have no end.
func TestNoMoreThanTheBoundIsRead(t *testing.T) {
	read := 0
	endless := readerFunc(func(p []byte) (int, error) {
		read += len(p)
		return len(p), nil
	})
	if err := Decode(endless, limit, &message{}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if read > limit+1 {
		t.Errorf("%d bytes were read", read)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAReadersErrorIsPassedOn(t *testing.T) {
	if err := Decode(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("{}"))), limit, &message{}); !errors.Is(err, iotest.ErrTimeout) {
		t.Error(err)
	}
	if err := Decode(io.MultiReader(strings.NewReader("{"), iotest.ErrReader(io.ErrUnexpectedEOF)), limit, &message{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// FuzzDecode compares with encoding/json, which is laxer: what is accepted here
// is accepted there and means the same, and survives being written again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"name":"a","count":1,"inner":{"flag":true,"raw":"AQI="},"list":["a","b"],"map":{"k":"v"}}`,
		`{"name":"a","name":"b"}`, `{"Name":"a"}`, `{"name":"\ud800"}`, `{"count":1e3}`, `{"list":null}`, ` {"count":-0} `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var strict, lax, again message
		if Unmarshal(raw, &strict) != nil {
			return
		}
		if err := json.Unmarshal(raw, &lax); err != nil {
			t.Fatalf("%q is accepted, yet %v", raw, err)
		}
		if !sameMessage(strict, lax) {
			t.Fatalf("%q means %+v and %+v", raw, strict, lax)
		}
		written, err := json.Marshal(strict)
		if err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(written, &again); err != nil || !sameMessage(strict, again) {
			t.Fatalf("%q was written as %q: %v", raw, written, err)
		}
	})
}

// sameMessage compares and takes nothing and emptiness for the same.
func sameMessage(a, b message) bool {
	for _, m := range []*message{&a, &b} {
		if len(m.List) == 0 {
			m.List = nil
		}
		if len(m.Map) == 0 {
			m.Map = nil
		}
		if len(m.Inner.Raw) == 0 {
			m.Inner.Raw = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// Open decoding leaves unknown members out and is strict in all else.
func TestOpenDecoding(t *testing.T) {
	var v struct{ A int }
	if err := DecodeOpen(strings.NewReader(`{"A":1,"b":2}`), 64, &v); err != nil || v.A != 1 {
		t.Error(v, err)
	}
	for name, text := range map[string]string{"twice": `{"A":1,"A":2}`, "trailing": `{"A":1} {}`, "type": `{"A":"1"}`, "none": ``} {
		if err := DecodeOpen(strings.NewReader(text), 64, &v); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := DecodeOpen(strings.NewReader(`{"A":1}`), 3, &v); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
