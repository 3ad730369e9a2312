package inventory

import "context"

func sources() []source { return []source{dpkg, rpm} }

func system(_ context.Context, m Machine) (id, release string, err error) { return osRelease(m.Files) }
