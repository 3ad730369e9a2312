package main

import (
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (a *app) key() *cobra.Command {
	return noun("key", "Security keys (listed by \"person show\")", a.keyRevoke())
}

func (a *app) keyRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY-ID",
		Short: "Make a lost security key useless for ever",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			k, err := a.client().RevokeKey(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(k, func() { a.printf("%s: %s\n", k.Nickname, a.keyStatus(k)) })
		},
	}
}

func (a *app) keyStatus(k wire.SecurityKey) string {
	switch {
	case k.Revoked:
		return a.say("revoked", "已撤銷")
	case k.Hardware:
		return a.say("hardware proven", "硬體已驗證")
	default:
		return a.say("hardware not proven", "硬體未驗證")
	}
}

func (a *app) keys(keys []wire.SecurityKey) {
	rows := make([][]string, len(keys))
	for i, k := range keys {
		rows[i] = []string{k.Nickname, k.Model, a.keyStatus(k), a.moment(k.AddedAt), a.moment(k.LastUsedAt), k.ID}
	}
	a.table([]string{
		a.say("KEY", "金鑰"), a.say("MODEL", "型號"), a.say("STATE", "狀態"), a.say("ADDED", "登錄時間"),
		a.say("LAST USED", "最近使用"), a.say("ID", "代碼"),
	}, rows)
}
