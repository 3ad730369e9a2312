package extauthz

// appendOdd adds the client's headers whose names have signs other than
// hyphens: gateways to CGI and WSGI write every sign as an underscore, and so
// would take them for the proxy's own.
func appendOdd(removed []string, headers map[string]string) []string {
	for name := range headers {
		if odd(name) {
			removed = append(removed, name)
		}
	}
	return removed
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
