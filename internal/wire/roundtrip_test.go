package wire_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// messages are all documents that one process sends to another as JSON.
func messages() []any {
	return []any{
		&wire.EnrolStart{}, &wire.EnrolChallenge{}, &wire.EnrolFinish{}, &wire.Enrolled{},
		&wire.NonceAnswer{}, &wire.AttestRequest{}, &wire.AttestAnswer{}, &wire.PollAnswer{},
		&wire.DeviceConfirmation{}, &wire.DeviceConfirmed{}, &wire.LocalConfirm{}, &wire.LocalConfirmed{},
		&wire.CheckRequest{}, &wire.CheckAnswer{}, &wire.Claims{}, &wire.FirewallRuleset{}, &wire.AuditRecord{},
		&wire.Agency{}, &wire.Person{}, &wire.SecurityKey{}, &wire.Device{}, &wire.Portal{},
		&wire.StartHandle{}, &wire.Login{}, &wire.Inventory{}, &wire.InventoryReport{}, &wire.InventoryTaken{}, &wire.Vulnerabilities{}, &wire.Boot{}, &wire.Exception{}, &wire.RootFacts{},
	}
}

// fill gives every field below v a value that is not its zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2025, 11, 22, 1, 2, 3, 456, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("門 <&> \u2028")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.25)
	default:
		panic("no value for " + v.Type().String())
	}
}

// TestMessagesAreReadAsTheyWereWritten writes with encoding/json, as senders
// do, and reads strictly, as receivers do: full messages and empty ones.
func TestMessagesAreReadAsTheyWereWritten(t *testing.T) {
	for _, m := range messages() {
		for _, full := range []bool{true, false} {
			if full {
				fill(reflect.ValueOf(m).Elem())
			} else {
				reflect.ValueOf(m).Elem().SetZero()
			}
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatalf("%T: %v", m, err)
			}
			back := reflect.New(reflect.TypeOf(m).Elem())
			if err := strictjson.Unmarshal(raw, back.Interface()); err != nil {
				t.Fatalf("%T: %v in %s", m, err, raw)
			}
			again, err := json.Marshal(back.Interface())
			if err != nil || string(again) != string(raw) {
				t.Errorf("%T was written as\n%s and read as\n%s (%v)", m, raw, again, err)
			}
		}
	}
}

// TestEveryFieldHasItsName keeps a field without a tag, which would go out
// under its Go name, from slipping in.
func TestEveryFieldHasItsName(t *testing.T) {
	for _, m := range messages() {
		checkNames(t, reflect.TypeOf(m).Elem())
	}
}

func checkNames(t *testing.T, of reflect.Type) {
	t.Helper()
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkNames(t, of.Elem())
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range of.NumField() {
			field := of.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name != strings.ToLower(name) {
				t.Errorf("%s.%s has the JSON name %q", of, field.Name, name)
			}
			checkNames(t, field.Type)
		}
	}
}

// FuzzAttestRequest reads what an agent sends: no panic, and what is read is
// the same when it is written and read again.
func FuzzAttestRequest(f *testing.F) {
	var full wire.AttestRequest
	fill(reflect.ValueOf(&full).Elem())
	raw, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"ticket":"a","evidence":{"claims":"e30=","quote":{"attest":"","signature":""},"pcrs":[{"index":0,"digest":"AA=="}]}}`))
	f.Add([]byte(`{"ticket":"a","ticket":"b"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var one, two wire.AttestRequest
		if strictjson.Unmarshal(raw, &one) != nil {
			return
		}
		first, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := strictjson.Unmarshal(first, &two); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(two); err != nil || string(first) != string(second) {
			t.Fatalf("%s became %s: %v", first, second, err)
		}
	})
}
