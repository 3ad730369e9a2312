package inventory

import "context"

func sources() []source { return []source{applications} }

func system(ctx context.Context, m Machine) (id, release string, err error) {
	return macRelease(ctx, m)
}
