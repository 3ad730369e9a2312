package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) signal() *cobra.Command {
	return noun("signal", "Security events: who is sent them, and whose word on risk counts",
		noun("receiver", "Receivers of an agency's security events (Shared Signals Framework 1.0)", a.receiverAdd(), a.receiverList(), a.receiverRemove()),
		noun("source", "SIEMs and EDRs whose risk reports an agency heeds", a.sourceAdd(), a.sourceList(), a.sourceRemove()))
}

func (a *app) receiverAdd() *cobra.Command {
	var in client.NewReceiver
	c := a.inAgency("add", "Add a receiver and print its bearer secret, this once", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		made, err := a.client().AddReceiver(ctx, agency, in)
		if err != nil {
			return err
		}
		return a.show(made, func() { a.secret(a.say("Receiver", "接收者"), made.Receiver.Name, made.Receiver.ID, made.Secret) })
	})
	c.Flags().StringVar(&in.Name, "name", "", "the receiver's name")
	c.Flags().StringArrayVar(&in.Push, "push", nil, "an https address that events may be pushed to; with a slash at its end, all below it")
	must(c.MarkFlagRequired("name"))
	return c
}

// secret shows what is told this once.
func (a *app) secret(what, name, id, secret string) {
	a.facts(what, clean(name), a.say("ID", "代碼"), id, a.say("Secret", "密鑰"), secret)
	a.printf("\n%s\n", a.say("Hand the secret over now: it is not shown again.", "請立即交付密鑰；之後不會再顯示。"))
}

func (a *app) receiverList() *cobra.Command {
	return a.inAgency("list", "List an agency's receivers and how their streams stand", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		all, err := a.client().Receivers(ctx, agency)
		if err != nil {
			return err
		}
		return a.show(all, func() {
			var rows [][]string
			for _, r := range all {
				rows = append(rows, receiverRows(r)...)
			}
			a.table([]string{a.say("NAME", "名稱"), a.say("ID", "代碼"), a.say("STREAM", "串流"), a.say("STATUS", "狀態"),
				a.say("PENDING", "待送"), a.say("MISSED", "未保留"), a.say("REASON", "原因")}, rows)
		})
	})
}

// receiverRows is a line for each stream, one where there is none.
func receiverRows(r wire.SignalReceiver) [][]string {
	if len(r.Streams) == 0 {
		return [][]string{{clean(r.Name), r.ID, "–", "–", "–", "–", ""}}
	}
	rows := make([][]string, len(r.Streams))
	for i, s := range r.Streams {
		rows[i] = []string{clean(r.Name), r.ID, s.ID, s.Status, fmt.Sprint(s.Pending), fmt.Sprint(s.Missed), clean(s.Reason)}
	}
	return rows
}

func (a *app) receiverRemove() *cobra.Command {
	return a.inAgency("remove ID", "End a receiver with its streams and all that they hold", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		gone, err := a.client().RemoveReceiver(ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(gone, func() {
			a.printf("%s: %s\n", clean(gone.Name), a.say("gets nothing any more", "不再收到任何事件"))
		})
	})
}

func (a *app) sourceAdd() *cobra.Command {
	var in client.NewSource
	var keys string
	c := a.inAgency("add", "Heed a source's risk reports and print its bearer secret, this once", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		if in.KeysURL == "" {
			raw, err := readFile(keys, maxKeyFile)
			if err != nil {
				return err
			}
			in.Keys = raw
		}
		made, err := a.client().AddSource(ctx, agency, in)
		if err != nil {
			return err
		}
		return a.show(made, func() { a.secret(a.say("Source", "來源"), made.Source.Name, made.Source.ID, made.Secret) })
	})
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "the source's name")
	f.StringVar(&in.Issuer, "issuer", "", "the issuer, exactly as its events name it")
	f.StringVar(&keys, "jwks", "", "a file with its public keys, as a JWK set")
	f.StringVar(&in.KeysURL, "jwks-url", "", "an https address where it publishes them; they are read anew every quarter of an hour")
	f.StringArrayVar(&in.Domains, "mail-domain", nil, "a mail domain of the agency's accounts: wang@DOMAIN is the account wang")
	f.IntVar(&in.Life, "hours", 0, "how long what it says counts, 720 hours at most (default 24)")
	for _, name := range []string{"name", "issuer"} {
		must(c.MarkFlagRequired(name))
	}
	c.MarkFlagsOneRequired("jwks", "jwks-url")
	c.MarkFlagsMutuallyExclusive("jwks", "jwks-url")
	return c
}

func (a *app) sourceList() *cobra.Command {
	return a.inAgency("list", "List an agency's sources and how much they say at present", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		all, err := a.client().Sources(ctx, agency)
		if err != nil {
			return err
		}
		return a.show(all, func() {
			rows := make([][]string, len(all))
			for i, s := range all {
				rows[i] = []string{clean(s.Name), s.ID, clean(s.Issuer), clean(strings.Join(s.Domains, ",")), fmt.Sprint(s.Life), fmt.Sprint(s.Statements)}
			}
			a.table([]string{a.say("NAME", "名稱"), a.say("ID", "代碼"), a.say("ISSUER", "簽發者"), a.say("MAIL DOMAINS", "郵件網域"),
				a.say("HOURS", "時數"), a.say("STATEMENTS", "陳述數")}, rows)
		})
	})
}

func (a *app) sourceRemove() *cobra.Command {
	return a.inAgency("remove ID", "End a source with all that it says", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		gone, err := a.client().RemoveSource(ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(gone, func() { a.printf("%s: %s\n", clean(gone.Name), a.say("is not heeded any more", "不再採信")) })
	})
}
