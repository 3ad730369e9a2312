package posture

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
)

// errNoRow says that a query found nothing.
var errNoRow = errors.New("nothing was found")

// sFalse says that COM was set up on this thread before.
const sFalse = 1

// withCOM runs f on a thread of its own that COM was set up for.
func withCOM(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED)
		var code *ole.OleError
		if err != nil && (!errors.As(err, &code) || code.Code() != sFalse) {
			done <- fmt.Errorf("COM: %w", err)
			return
		}
		defer ole.CoUninitialize()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// object is a COM object whose members are read one after another; the first
// error stays.
type object struct {
	dispatch *ole.IDispatch
	err      error
}

func (o *object) get(name string, args ...any) *ole.VARIANT {
	if o.err != nil {
		return nil
	}
	value, err := oleutil.GetProperty(o.dispatch, name, args...)
	if err != nil {
		o.err = fmt.Errorf("%s: %w", name, err)
		return nil
	}
	return value
}

func (o *object) number(name string, args ...any) uint32 {
	value := o.get(name, args...)
	if value == nil {
		return 0
	}
	defer func() { _ = value.Clear() }()
	switch n := value.Value().(type) {
	case int32:
		return uint32(n) // #nosec G115 -- WMI hands out unsigned numbers as signed ones
	case uint32:
		return n
	case int16:
		return uint32(n) // #nosec G115 -- as above
	case uint8:
		return uint32(n)
	case int64:
		return uint32(n) // #nosec G115 -- as above
	}
	o.err = fmt.Errorf("%s is no number", name)
	return 0
}

func (o *object) truth(name string, args ...any) bool {
	value := o.get(name, args...)
	if value == nil {
		return false
	}
	defer func() { _ = value.Clear() }()
	b, ok := value.Value().(bool)
	if !ok {
		o.err = fmt.Errorf("%s is neither true nor false", name)
	}
	return b
}

// child is a member that is an object; release it.
func (o *object) child(name string, args ...any) *object {
	value := o.get(name, args...)
	if value == nil {
		return &object{err: o.err}
	}
	if value.VT != ole.VT_DISPATCH || value.Val == 0 {
		o.err = fmt.Errorf("%s is no object", name)
		return &object{err: o.err}
	}
	return &object{dispatch: value.ToIDispatch()}
}

func (o *object) call(name string, args ...any) *object {
	if o.err != nil {
		return &object{err: o.err}
	}
	value, err := oleutil.CallMethod(o.dispatch, name, args...)
	if err != nil {
		return &object{err: fmt.Errorf("%s: %w", name, err)}
	}
	if value.VT != ole.VT_DISPATCH || value.Val == 0 {
		return &object{err: fmt.Errorf("%s gives no object", name)}
	}
	return &object{dispatch: value.ToIDispatch()}
}

func (o *object) release() {
	if o.dispatch != nil {
		o.dispatch.Release()
	}
}

// create makes an object by its program id.
func create(id string) *object {
	unknown, err := oleutil.CreateObject(id)
	if err != nil {
		return &object{err: fmt.Errorf("%s: %w", id, err)}
	}
	defer unknown.Release()
	dispatch, err := unknown.QueryInterface(ole.IID_IDispatch)
	if err != nil {
		return &object{err: fmt.Errorf("%s: %w", id, err)}
	}
	return &object{dispatch: dispatch}
}

// query runs a WQL query and calls row for each object found; none is an error.
func query(ctx context.Context, namespace, wql string, row func(object) error) error {
	return withCOM(ctx, func() error {
		locator := create("WbemScripting.SWbemLocator")
		defer locator.release()
		service := locator.call("ConnectServer", ".", namespace)
		defer service.release()
		rows := service.call("ExecQuery", wql)
		defer rows.release()
		if rows.err != nil {
			return rows.err
		}
		found := false
		err := oleutil.ForEach(rows.dispatch, func(value *ole.VARIANT) error {
			found = true
			one := object{dispatch: value.ToIDispatch()}
			defer one.release()
			return row(one)
		})
		if err == nil && !found {
			err = errNoRow
		}
		return err
	})
}
