package inventory

func sources() []source { return []source{applications} }
