package client

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// A refused enrolment is told in the person's language, with the PDP's words.
func TestARefusedEnrolmentSaysWhy(t *testing.T) {
	for language, want := range map[string]string{"": "under the name LT-7", "zh-TW": "已在本機關以 LT-7 的名稱註冊"} {
		ca := newAuthority(t)
		p := newPDP(t, ca.server(t, nil))
		p.mux.HandleFunc("POST /v1/enrol/start", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, http.StatusForbidden, reason.New(reason.EnrolEKOtherName, "device", "LT-7"))
		})
		e := enrolment(t, p, ca.code())
		e.Language = language
		_, err := Enrol(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), reason.EnrolEKOtherName) {
			t.Errorf("%q: %v", language, err)
		}
	}
	if got := shown("a\x1b[31m" + strings.Repeat("字", 1000)); strings.Contains(got, "\x1b") || len([]rune(got)) != 500 {
		t.Errorf("%d runes, %.20q", len([]rune(got)), got)
	}
}

func TestWithoutCode(t *testing.T) {
	const digest = "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f"
	for _, text := range []string{digest, strings.ToUpper(digest), "00:01:" + digest[4:], " " + digest + "\n"} {
		code, err := WithoutCode(text)
		if err != nil || code.text != "" || code.CADigest[31] != 0x1f {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", digest[2:], digest + "00", "g" + digest[1:]} {
		if _, err := WithoutCode(text); !errors.Is(err, ErrBadFingerprint) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
