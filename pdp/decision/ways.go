package decision

import "strings"

// The ways in which applications read a path (RFC 3986, 6.2.2, and what is
// done beyond it).

// international decodes the escapes of what is not ASCII: no client can write
// it otherwise (RFC 3986, 2.5).
func international(path string) string {
	return unescape(path, func(c byte) bool { return c >= 0x80 })
}

// decoded replaces escapes by what they stand for. After the first time a
// percent sign may be just that.
func decoded(path string) string {
	return unescape(path, func(byte) bool { return true })
}

func unescape(path string, of func(byte) bool) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			if c := unhex(path[i+1])<<4 | unhex(path[i+2]); of(c) {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// narrow maps full-width characters to ASCII, as code pages do.
func narrow(path string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\uff01' && r <= '\uff5e' {
			return r - 0xfee0
		}
		return r
	}, path)
}

// forward takes a backslash for a slash.
func forward(path string) string { return strings.ReplaceAll(path, `\`, "/") }

// unasked cuts off what may be a query or a fragment.
func unasked(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

// bare cuts parameters and streams off the segments.
func bare(path string) string {
	return eachSegment(path, ";:", func(segment string) string {
		if i := strings.IndexAny(segment, ";:"); i >= 0 {
			return segment[:i]
		}
		return segment
	})
}

// trimmed cuts dots and spaces off the segments' ends, as file systems do.
func trimmed(path string) string {
	return eachSegment(path, ". ", func(segment string) string {
		if segment == "." || segment == ".." {
			return segment
		}
		return strings.TrimRight(segment, ". ")
	})
}

// single takes doubled slashes for one.
func single(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// straight removes dot segments (RFC 3986, 5.2.4).
func straight(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		switch segment {
		case ".", "..":
			if segment == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if i == len(segments)-1 {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// local cuts off an authority: parsers of URLs take //host/path for one without
// its scheme (RFC 3986, 4.2).
func local(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	_, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return "/" + rest
}

// uncontrolled takes out the first segment that may be a front controller, as
// in /index.php/path, which serves what lies at /path.
func uncontrolled(path string) string {
	for from := 0; ; {
		n := strings.IndexByte(path[from+1:], '/')
		if n < 0 {
			return path
		}
		if segment := path[from+1 : from+1+n]; segment != ".." && strings.LastIndexByte(segment, '.') > 0 {
			return path[:from] + path[from+1+n:]
		}
		from += 1 + n
	}
}

// sessionless takes out what ASP.NET reads as the session of a client without
// cookies, with the slash before it: /(S(x))/path and /pa/(S(x))th are /path.
func sessionless(path string) string {
	from := strings.Index(path, "/(")
	if from < 0 {
		return path
	}
	n := strings.Index(path[from:], "))")
	if n < 0 {
		return path
	}
	if path = path[:from] + path[from+n+2:]; !strings.HasPrefix(path, "/") {
		return "/" + path
	}
	return path
}

func eachSegment(path, signs string, change func(string) string) string {
	if !strings.ContainsAny(path, signs) {
		return path
	}
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = change(segments[i])
	}
	return strings.Join(segments, "/")
}
