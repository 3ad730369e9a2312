package reason

import "github.com/menshen-zt/menshen/internal/wire"

// Shown is Of for whoever asks for access, be it a person, a browser's script or
// an application: of a withheld reason nothing is told but the code, the side
// and whom to ask (design: §5, 3). Officers are told by Of.
func Shown(lang Language, r wire.Reason) Text {
	text := Of(lang, r)
	if !text.Withheld {
		return text
	}
	side := text.Side
	text = Of(lang, New(KeyCodeOnly, "code", r.Code))
	text.Side, text.Withheld = side, true
	return text
}

// Withheld reports whether Shown tells the code of r alone.
func Withheld(r wire.Reason) bool { return catalogue()[English][r.Code].Withheld }
