package extauthz

import "strings"

// appendAliases adds the client's headers that some application would take for
// one that is the proxy's to set: gateways to CGI and WSGI write every sign in
// a name as an underscore.
func appendAliases(removed []string, headers map[string]string) []string {
	for name := range headers {
		if alias(name) {
			removed = append(removed, name)
		}
	}
	return removed
}

// alias reports whether a name with signs other than hyphens reads, in letters
// and digits, as one of the proxy's own.
func alias(name string) bool {
	if !odd(name) {
		return false
	}
	plain := []byte(name)
	for i, c := range plain {
		if !alphanumeric(c) {
			plain[i] = '-'
		}
	}
	for _, prefix := range [...]string{"menshen-", "x-menshen-", "x-original-", "x-forwarded-", "x-http-method", "x-method-override", "x-rewrite-url", "x-real-ip", "forwarded"} {
		if strings.HasPrefix(string(plain), prefix) {
			return true
		}
	}
	return false
}

// odd reports whether a header's name has a sign that is no hyphen. Those with
// a leading colon are HTTP/2's own.
func odd(name string) bool {
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '-' {
			return c != ':' || i > 0
		}
	}
	return false
}

func alphanumeric(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
