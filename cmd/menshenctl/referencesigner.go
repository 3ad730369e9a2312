package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/reference"
)

const maxKeyFile = 64 << 10

func (a *app) signer() *cobra.Command {
	return noun("signer", "The keys whose bundles an agency trusts", a.signerAdd(), a.signerList(), a.signerRemove())
}

func (a *app) signerAdd() *cobra.Command {
	var issuer string
	c := a.inAgency("add PUBLIC-KEY.pem", "Trust the bundles of an issuer, after comparing its key by another way", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		der, err := readPEM(args[0], "PUBLIC KEY")
		if err != nil {
			return err
		}
		s, err := a.client().AddSigner(ctx, agency, client.NewSigner{Issuer: issuer, SPKI: der})
		if err != nil {
			return err
		}
		return a.show(s, func() { a.printf("%s  %s\n", s.Key, clean(s.Issuer)) })
	})
	c.Flags().StringVar(&issuer, "issuer", "", "the issuer that the key stands for, as its bundles name it")
	must(c.MarkFlagRequired("issuer"))
	return c
}

// readPEM reads a file's one PEM block.
func readPEM(path, kind string) ([]byte, error) {
	raw, err := readFile(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != kind || len(rest) > 0 {
		return nil, fmt.Errorf("%s is not one PEM block of the kind %s", path, kind)
	}
	return block.Bytes, nil
}

func (a *app) signerList() *cobra.Command {
	return a.inAgency("list", "List an agency's signers", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		all, err := a.client().Signers(ctx, agency)
		if err != nil {
			return err
		}
		return a.show(all, func() {
			rows := make([][]string, len(all))
			for i, s := range all {
				rows[i] = []string{s.Issuer, s.Key.String(), s.Added.By, a.moment(s.Added.At), a.moment(s.Removed.At)}
			}
			a.table([]string{a.say("ISSUER", "發行者"), a.say("KEY", "金鑰"), a.say("BY", "操作者"), a.say("ADDED", "登錄時間"), a.say("REMOVED", "移除時間")}, rows)
		})
	})
}

func (a *app) signerRemove() *cobra.Command {
	return a.inAgency("remove KEY", "End the trust in a key, named by its digest", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		s, err := a.client().RemoveSigner(ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(s, func() { a.printf("%s  %s: %s\n", s.Key, clean(s.Issuer), a.say("removed", "已移除")) })
	})
}

// referenceSign needs no PDP: a bundle is signed where its key is.
func (a *app) referenceSign() *cobra.Command {
	var keyFile string
	c := &cobra.Command{
		Use:   "sign BUNDLE.json",
		Short: "Sign a bundle with a private key of Ed25519 or ECDSA P-256; needs no PDP",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			raw, err := readFile(args[0], reference.MaxBundleBytes)
			if err != nil {
				return err
			}
			var b wire.Bundle
			if err := strictjson.Unmarshal(raw, &b); err != nil {
				return &failure{exitRefused, reason.New(reason.RefMalformed, "detail", err.Error())}
			}
			signed, err := reference.Sign(b, key)
			if err != nil {
				return refused(err)
			}
			return a.printJSON(signed)
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", "the private key, PKCS #8 in PEM")
	must(c.MarkFlagRequired("key"))
	return c
}

func readKey(path string) (crypto.Signer, error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, &failure{exitRefused, reason.New(reason.RefSignerKey)}
	}
	return signer, nil
}
