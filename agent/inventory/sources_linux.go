package inventory

func sources() []source { return []source{dpkg, rpm} }
