package enrolment

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// A code's text that is accepted is the one text of that code: no second
// spelling leads to the same record.
func FuzzCode(f *testing.F) {
	e := &Enroller{Config: Config{Authority: sha256.Sum256([]byte("ca"))}}
	authority := base64.RawURLEncoding.EncodeToString(e.Authority[:])
	good := "menshen1." + authority + "." + strings.Repeat("A", 43)
	for _, seed := range []string{good, good + "=", good[:len(good)-1] + "B", strings.ToUpper(good), "menshen1..", good + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := e.parseCode(text)
		if err != nil {
			return
		}
		random, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "menshen1."+authority+"."))
		if err != nil || "menshen1."+authority+"."+base64.RawURLEncoding.EncodeToString(random) != text || codeKey(random) != key {
			t.Errorf("accepted %q", text)
		}
	})
}
