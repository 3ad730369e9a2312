package posture

import (
	"context"
	"errors"
	"time"

	"github.com/go-ole/go-ole/oleutil"
	"golang.org/x/sys/windows/registry"
)

const restartRequired = `SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired`

// Updates implements Windows by the update agent's objects. It searches among
// what the agent knows already: nothing is asked of the network.
func (w thisWindows) Updates(ctx context.Context) (state UpdateState, err error) {
	err = withCOM(ctx, func() error {
		automatic := create("Microsoft.Update.AutoUpdate")
		defer automatic.release()
		settings := automatic.child("Settings")
		defer settings.release()
		state.Level = int(settings.number("NotificationLevel"))
		results := automatic.child("Results")
		defer results.release()
		if at := results.get("LastSearchSuccessDate"); at != nil {
			if searched, ok := at.Value().(time.Time); ok {
				state.Searched = searched
			}
			_ = at.Clear()
		}
		session := create("Microsoft.Update.Session")
		defer session.release()
		searcher := session.call("CreateUpdateSearcher")
		defer searcher.release()
		offline(searcher)
		result := searcher.call("Search", "IsInstalled=0 and IsHidden=0 and Type='Software'")
		defer result.release()
		updates := result.child("Updates")
		defer updates.release()
		state.Waiting = int(updates.number("Count"))
		return errors.Join(settings.err, results.err, searcher.err, result.err, updates.err)
	})
	if err == nil {
		state.Restart, err = keyExists(restartRequired)
	}
	return state, err
}

// offline keeps a search from asking the network.
func offline(searcher *object) {
	if searcher.err != nil {
		return
	}
	if _, err := oleutil.PutProperty(searcher.dispatch, "Online", false); err != nil {
		searcher.err = err
	}
}

func keyExists(path string) (bool, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, key.Close()
}
