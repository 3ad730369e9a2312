package packageversion

import "testing"

func debian(t *testing.T, a, b string) int {
	t.Helper()
	c, err := Debian(a, b)
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestOrder(t *testing.T) {
	for name, order := range map[string]struct {
		compare func(t *testing.T, a, b string) int
		pairs   [][2]string // the first is older
		equal   [][2]string
	}{
		"Debian": {debian, [][2]string{
			{"1.0~rc1-1", "1.0-1"}, {"1.0-1", "1.0-1+deb12u1"}, {"1.9", "1.10"}, {"9", "1:0"}, {"1.0-1", "1.0-2"}, {"1.0a", "1.0+"},
			{"1.0~~", "1.0~"}, {"1.0~", "1.0"}, {"3.0.11-1~deb12u2", "3.0.11-1"}, {"1.0-1-1", "1.0-1-2"}, {"2.36-9+deb12u9", "2.36-9+deb12u10"}, {"0", "0a"},
		}, [][2]string{{"1.0", "1.0-0"}, {"0:1.0", "1.0"}, {"1.01", "1.1"}}},
		"rpm": {func(_ *testing.T, a, b string) int { return RPM(a, b) }, [][2]string{
			{"1.0", "1.0.1"}, {"1.9", "1.10"}, {"1.0~rc1", "1.0"}, {"1.0", "1.0^git1"}, {"1.0^git1", "1.0.1"}, {"1.0a", "1.0.1"}, {"1-24.el9", "1-27.el9"},
			{"1-24.el9_2", "1-24.el9_3"}, {"a", "1"}, {"1.0^a", "1.0^b"}, {"1.0~a", "1.0~b"}, {"", "1"}, {"9-1", "1:0-1"}, {"2.34-100.el9", "2.34-101.el9"},
		}, [][2]string{{"1.0", "1_0"}, {"1.01", "1.1"}, {"", ""}, {"0:1-1", "1-1"}}},
	} {
		for _, p := range order.pairs {
			if order.compare(t, p[0], p[1]) >= 0 || order.compare(t, p[1], p[0]) <= 0 {
				t.Errorf("%s: %q is not before %q", name, p[0], p[1])
			}
		}
		for _, p := range order.equal {
			if order.compare(t, p[0], p[1]) != 0 || order.compare(t, p[1], p[0]) != 0 {
				t.Errorf("%s: %q is not %q", name, p[0], p[1])
			}
		}
	}
	for _, bad := range []string{"", "x", "a:1"} {
		if _, err := Debian(bad, "1"); err == nil {
			t.Errorf("%q is a version", bad)
		}
		if _, err := Debian("1", bad); err == nil {
			t.Errorf("%q is a version", bad)
		}
	}
}
