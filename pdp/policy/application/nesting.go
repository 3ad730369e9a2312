package application

import "strings"

// tooDeep returns the line at which brackets nest deeper than any parser here
// is asked to follow, 0 if nowhere: the parsers call themselves.
func tooDeep(name string, text []byte) int {
	schema, comments := strings.HasSuffix(name, ".cedarschema"), !strings.HasSuffix(name, ".json")
	depth, line := 0, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			line++
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				switch text[i] {
				case '\\':
					i++
				case '\n':
					line++
				}
			}
		case comments && c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case c == '(', c == '[', c == '{', schema && c == '<':
			if depth++; depth > maxNesting {
				return line
			}
		case c == ')', c == ']', c == '}', schema && c == '>':
			depth--
		}
	}
	return 0
}
