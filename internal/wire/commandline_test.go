package wire

import "testing"

func TestGeneralCommandLine(t *testing.T) {
	const uuid, other = "6f1b0a52-7f0e-4c1d-9a55-0c4d7e9b1a2f", "00000000-1111-2222-3333-444444444444"
	same := func(a, b string, want bool) {
		t.Helper()
		if got := GeneralCommandLineDigest(a) == GeneralCommandLineDigest(b); got != want {
			t.Errorf("%q and %q: same %v, as %q and %q", a, b, got, GeneralCommandLine(a), GeneralCommandLine(b))
		}
	}
	same("/vmlinuz-6.1 root=UUID="+uuid+" ro quiet", "(hd0,gpt2)/boot/vmlinuz-6.12 root=UUID="+other+" ro quiet", true)
	same("root=UUID="+uuid+" ro", "/vmlinuz root=UUID="+other+"  ro", true)
	same("rd.luks.name="+uuid+"=root ro", "rd.luks.name="+other+"=root ro", true)
	for _, changed := range []string{
		"/vmlinuz root=UUID=" + uuid + " ro quiet init=/bin/sh",
		"/vmlinuz root=UUID=" + uuid + " ro",
		"/vmlinuz root=UUID=" + uuid + " quiet ro",
		"/vmlinuz root=/dev/sda1 ro quiet",
		"/vmlinuz root=UUID=" + uuid + "0 ro quiet",
		"/vmlinuz root=UUID=a" + uuid + " ro quiet",
		"/vmlinuz root=UUID=" + uuid[:35] + " ro quiet",
		"/vmlinuz /evil root=UUID=" + uuid + " ro quiet",
		"/init=/bin/sh root=UUID=" + uuid + " ro quiet",
	} {
		same("/vmlinuz root=UUID="+uuid+" ro quiet", changed, false)
	}
}
