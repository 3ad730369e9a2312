package decision

import "strings"

// menshensCookies is what the names of the cookies begin with that are not the
// application's.
const menshensCookies = "__Host-menshen-"

// ApplicationCookies returns a client's Cookie headers as one, without
// Menshen's own. If it cannot be told apart what is whose, nothing is left.
func ApplicationCookies(lines []string) string {
	line := strings.Join(lines, "; ")
	if !strings.Contains(line, menshensCookies) {
		return line
	}
	var kept strings.Builder
	kept.Grow(len(line))
	for pair := range strings.SplitSeq(line, ";") {
		pair = strings.Trim(pair, " \t")
		if pair == "" || strings.HasPrefix(pair, menshensCookies) {
			continue
		}
		if kept.Len() > 0 {
			kept.WriteString("; ")
		}
		kept.WriteString(pair)
	}
	if rest := kept.String(); !strings.Contains(rest, menshensCookies) {
		return rest
	}
	return ""
}
