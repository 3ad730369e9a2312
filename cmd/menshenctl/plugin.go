package main

import "github.com/spf13/cobra"

func (a *app) plugin() *cobra.Command {
	return noun("plugin", "Inference plugins: the programs that judge situations for the trust assessment",
		a.pluginNew(), a.pluginBacktest(), a.pluginList(), a.pluginReload())
}
