package policy

import (
	"sync"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// What policies other than Menshen's own, those of applications, share with
// these.

// SessionContext returns a session's facts as the published schema's context
// shows them. Of the zero Facts it returns the values that affirm nothing.
func SessionContext(f *wire.Facts, at time.Time) types.Record {
	return wholeView().context(f, at.UTC())
}

// wholeView sees everything as it is. What it keeps is bounded as any view's.
var wholeView = sync.OnceValue(func() *view { return newView(everything(), nil) })

// SyntaxError returns an error of Cedar's parser as a *LoadError with its line.
func SyntaxError(file string, err error) error { return syntaxError(file, err) }
