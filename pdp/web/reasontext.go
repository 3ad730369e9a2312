package web

import (
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// reasonText is a reason as a page shows it.
type reasonText struct {
	reason.Text
	Code string
}

// describe returns the text of a reason. Of a withheld one nothing is shown
// but the code and whom to ask (design: how a decision is made, 3).
func describe(lang reason.Language, why wire.Reason) reasonText {
	text := reason.Of(lang, why)
	if text.Withheld {
		side := text.Side
		text = reason.Of(lang, wire.Reason{Code: reason.KeyCodeOnly, Args: map[string]string{"code": why.Code}})
		text.Side = side
	}
	return reasonText{Text: text, Code: why.Code}
}
