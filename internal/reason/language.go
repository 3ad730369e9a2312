package reason

import "golang.org/x/text/language"

var matcher = language.NewMatcher([]language.Tag{language.MustParse("zh-TW"), language.English})

// Negotiate picks the language for an Accept-Language header. Any Chinese and
// whatever is not understood give Chinese: these are Taiwan's agencies.
func Negotiate(acceptLanguage string) Language {
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return Chinese
	}
	if _, index, confidence := matcher.Match(tags...); confidence > language.No && index == 1 {
		return English
	}
	return Chinese
}
