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

// describe returns what a person reads of a reason: of a withheld one its code.
func describe(lang reason.Language, why wire.Reason) reasonText {
	return reasonText{Text: reason.Shown(lang, why), Code: why.Code}
}
