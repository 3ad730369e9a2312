package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/reference"
)

func (a *app) reference() *cobra.Command {
	return noun("reference", "Boot reference values: what a machine may start",
		a.referenceList(), a.referenceShow(), a.referenceImport(), a.referenceSign(), a.referenceLearn(), a.referenceDiff(), a.referenceApprove(),
		a.referenceMove("activate", "Make a next bundle current; the one that was current becomes superseded", (*client.Client).ActivateReference),
		a.referenceMove("retire", "Take a bundle out of use; a current one becomes superseded", (*client.Client).RetireReference),
		a.referenceFleet(), a.signer())
}

// inAgency is a command that works in one agency and needs the flag for it.
func (a *app) inAgency(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, agency string, args []string) error) *cobra.Command {
	var agency string
	c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
		return run(c.Context(), agency, args)
	}}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) referenceList() *cobra.Command {
	return a.inAgency("list", "List an agency's bundles", cobra.NoArgs, func(ctx context.Context, agency string, _ []string) error {
		all, err := a.client().References(ctx, agency)
		if err != nil {
			return err
		}
		return a.show(all, func() {
			rows := make([][]string, len(all))
			for i, info := range all {
				last := info.History[len(info.History)-1]
				rows[i] = []string{
					client.BundleName(info), a.bundleState(info), info.Issuer, strconv.Itoa(info.Entries), strconv.Itoa(info.Files),
					last.By, a.moment(last.At), info.Note,
				}
			}
			a.table([]string{
				a.say("BUNDLE", "套組"), a.say("STATE", "狀態"), a.say("ISSUER", "發行者"), a.say("VALUES", "參考值"), a.say("FILES", "檔案"),
				a.say("BY", "操作者"), a.say("SINCE", "時間"), a.say("NOTE", "備註"),
			}, rows)
		})
	})
}

func (a *app) bundleState(info wire.BundleInfo) string {
	switch info.State {
	case wire.BundleDraft:
		if n := len(info.Approvals); n > 0 {
			return a.say("draft, approved once", "草稿（已核准一次）")
		}
		return a.say("draft", "草稿")
	case wire.BundleNext:
		return a.say("next", "下一版")
	case wire.BundleCurrent:
		return a.say("current", "現行")
	case wire.BundleSuperseded:
		return a.say("superseded", "已取代")
	default:
		return a.say("retired", "已停用")
	}
}

func (a *app) printBundle(info wire.BundleInfo) {
	a.printf("%s: %s\n", client.BundleName(info), a.bundleState(info))
}

func (a *app) referenceShow() *cobra.Command {
	return a.inAgency("show ID[@VERSION]", "Show a bundle and its values", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		view, err := a.client().Reference(ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(view, func() { a.printBundleView(view) })
	})
}

func (a *app) printBundleView(view wire.BundleView) {
	info := view.Info
	a.facts(
		a.say("Bundle", "套組"), client.BundleName(info),
		a.say("State", "狀態"), a.bundleState(info),
		a.say("Issuer", "發行者"), info.Issuer,
		a.say("Made", "製作時間"), a.moment(info.Created),
		a.say("Learned from", "學習對象"), strings.Join(info.LearnedFrom, ", "),
		a.say("Signed by", "簽署金鑰"), info.Signer,
		a.say("Digest", "摘要"), info.Digest.String(),
		a.say("Files", "檔案"), strconv.Itoa(info.Files),
		a.say("Note", "備註"), info.Note,
	)
	for _, step := range info.History {
		a.printf("  %s  %s  %s\n", a.moment(step.At), a.bundleState(wire.BundleInfo{State: step.State}), clean(step.By))
	}
	rows := make([][]string, len(view.Bundle.Entries))
	for i, e := range view.Bundle.Entries {
		rows[i] = []string{strconv.Itoa(e.PCR), a.measurement(e.Kind), e.Name, shortDigest(e.Digest), e.Note}
	}
	a.printf("\n")
	a.table([]string{"PCR", a.say("KIND", "種類"), a.say("NAME", "名稱"), a.say("VALUE", "值"), a.say("NOTE", "備註")}, rows)
}

func shortDigest(d wire.HexDigest) string { return d.String()[:16] }

func (a *app) referenceImport() *cobra.Command {
	return a.inAgency("import FILE", "Keep a signed bundle as a draft", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		raw, err := readFile(args[0], reference.MaxBundleBytes)
		if err != nil {
			return err
		}
		signed, err := reference.Parse(raw)
		if err != nil {
			return refused(err)
		}
		info, err := a.client().ImportReference(ctx, agency, signed)
		if err != nil {
			return err
		}
		return a.show(info, func() { a.printBundle(info) })
	})
}

func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	raw, err := os.ReadFile(path) // #nosec G304 -- the person names the file
	if err != nil {
		return nil, unreadable(err)
	}
	return raw, nil
}

// refused makes an error that has a reason the program's own.
func refused(err error) error {
	if told, ok := err.(interface{ Reason() wire.Reason }); ok {
		return &failure{exitRefused, told.Reason()}
	}
	return err
}

func (a *app) referenceLearn() *cobra.Command {
	var in wire.LearnRequest
	c := a.inAgency("learn ID", "Make a draft of what a pilot group's machines showed at their last start", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		in.ID = args[0]
		diff, err := a.client().LearnReference(ctx, agency, in)
		if err != nil {
			return err
		}
		return a.show(diff, func() { a.printDiff(diff) })
	})
	c.Flags().StringVar(&in.Group, "group", "", "learn from the devices of this group")
	c.Flags().StringSliceVar(&in.Devices, "device", nil, "learn from these devices")
	c.Flags().StringVar(&in.Note, "note", "", "what the bundle is for")
	return c
}

func (a *app) referenceDiff() *cobra.Command {
	return a.inAgency("diff ID[@VERSION]", "Show what a bundle changes against the current one", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		diff, err := a.client().ReferenceDiff(ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(diff, func() { a.printDiff(diff) })
	})
}

func (a *app) printDiff(d wire.BundleDiff) {
	against := a.say("nothing", "（無）")
	if d.Against > 0 {
		against = d.Info.ID + "@" + strconv.FormatUint(d.Against, 10)
	}
	a.printf("%s (%s) %s %s\n", client.BundleName(d.Info), a.bundleState(d.Info), a.say("against", "對照"), against)
	for _, w := range d.Warnings {
		text := reason.Of(a.lang(), w)
		a.printf("⚠ %s %s\n  %s\n", w.Code, clean(text.What), clean(text.Do))
	}
	for _, part := range []struct {
		mark    string
		changes []wire.BundleChange
	}{{"+", d.Added}, {"~", d.Changed}, {"-", d.Gone}} {
		for _, c := range part.changes {
			a.printf("%s PCR %d %s %s: %s → %s\n", part.mark, c.PCR, a.measurement(c.Kind), clean(c.Name), a.values(c.Was), a.values(c.Now))
		}
	}
	if d.FilesAdded+d.FilesGone > 0 {
		a.printf("%s +%d −%d\n", a.say("files", "檔案"), d.FilesAdded, d.FilesGone)
	}
	if len(d.Added)+len(d.Changed)+len(d.Gone)+d.FilesAdded+d.FilesGone == 0 {
		a.printf("%s\n", a.say("no difference", "沒有差異"))
	}
}

// values are one side of a change: "A on 2 machines, first on 2026-11-22".
func (a *app) values(all []wire.SeenValue) string {
	if len(all) == 0 {
		return "–"
	}
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = shortDigest(v.Digest)
		if v.Note != "" {
			texts[i] += " (" + clean(v.Note) + ")"
		}
		texts[i] += a.seenOn(v.Machines, v.First.Format("2006-01-02"))
	}
	return strings.Join(texts, ", ")
}

func (a *app) seenOn(machines int, day string) string {
	if machines == 0 {
		return a.say(" on no machine", "，目前沒有電腦使用")
	}
	if machines == 1 {
		return fmt.Sprintf(a.say(" on 1 machine, since %s", "，1 台電腦，始於 %s"), day)
	}
	return fmt.Sprintf(a.say(" on %d machines, first on %s", "，%d 台電腦，最早於 %s"), machines, day)
}

func (a *app) referenceApprove() *cobra.Command {
	var in client.Approval
	c := a.inAgency("approve ID[@VERSION]", "Make a draft current, or next", cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		info, err := a.client().ApproveReference(ctx, agency, args[0], in)
		if err != nil {
			return err
		}
		return a.show(info, func() { a.printBundle(info) })
	})
	c.Flags().BoolVar(&in.Next, "next", false, "accept it beside the current one, which stays")
	return c
}

func (a *app) referenceMove(verb, short string, do func(*client.Client, context.Context, string, string) (wire.BundleInfo, error)) *cobra.Command {
	return a.inAgency(verb+" ID[@VERSION]", short, cobra.ExactArgs(1), func(ctx context.Context, agency string, args []string) error {
		info, err := do(a.client(), ctx, agency, args[0])
		if err != nil {
			return err
		}
		return a.show(info, func() { a.printBundle(info) })
	})
}

func (a *app) referenceFleet() *cobra.Command {
	return a.inAgency("fleet [ID[@VERSION]]", "Show which machines would fail if a bundle were current, by their last start; changes nothing", cobra.MaximumNArgs(1), func(ctx context.Context, agency string, args []string) error {
		report, err := a.client().ReferenceFleet(ctx, agency, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return a.show(report, func() { a.printFleet(report) })
	})
}

func (a *app) printFleet(r wire.FleetReport) {
	a.facts(
		a.say("Devices", "裝置"), strconv.Itoa(r.Devices),
		a.say("✔ as approved", "✔ 符合"), strconv.Itoa(r.Affirming),
		a.say("⚠ warned", "⚠ 警告"), strconv.Itoa(r.Warning),
		a.say("✖ failing", "✖ 未符合"), strconv.Itoa(r.Failing),
		a.say("? never seen", "? 尚無紀錄"), strconv.Itoa(r.Unmeasured),
	)
	for _, d := range r.Worse {
		a.printf("\n%s %s %s\n", a.tierMark(d.Appraisal.Executables), clean(d.Name), clean(d.Group))
		for _, f := range d.Appraisal.Findings {
			a.printFinding(f)
		}
	}
}

func (a *app) printFinding(f wire.Finding) {
	text := reason.Of(a.lang(), f.Reason)
	a.printf("  %s %s\n    %s\n", f.Reason.Code, a.findingType(f.Type), clean(text.What))
}

func (a *app) tierMark(t wire.Trustworthiness) string {
	switch t {
	case wire.Affirming:
		return "✔"
	case wire.Warning:
		return "⚠"
	case wire.Contraindicated:
		return "✖"
	default:
		return "?"
	}
}

func (a *app) findingType(t wire.FindingType) string {
	switch t {
	case wire.FindingTampered:
		return a.say("tampered", "遭竄改")
	case wire.FindingRolledBack:
		return a.say("rolled back", "退回舊版")
	case wire.FindingUnknownUpdate:
		return a.say("unknown, but signed by a trusted key", "未知，但由受信任的金鑰簽署")
	case wire.FindingUnsupported:
		return a.say("of an unknown kind", "未知的種類")
	case wire.FindingMissing:
		return a.say("missing", "缺少")
	default:
		return a.say("not demanded", "不作要求")
	}
}

// measurement names a kind of measurement.
func (a *app) measurement(k wire.MeasurementKind) string {
	names := map[wire.MeasurementKind]string{
		wire.MeasuredFirmware:        a.say("firmware", "韌體"),
		wire.MeasuredSetting:         a.say("setting", "設定"),
		wire.MeasuredOptionROM:       a.say("option ROM", "擴充韌體"),
		wire.MeasuredSecureBoot:      a.say("Secure Boot", "安全開機"),
		wire.MeasuredPK:              a.say("platform key PK", "平台金鑰 PK"),
		wire.MeasuredKEK:             a.say("key exchange keys KEK", "金鑰交換金鑰 KEK"),
		wire.MeasuredDB:              a.say("permitted keys db", "允許清單 db"),
		wire.MeasuredDBX:             a.say("revocations dbx", "撤銷清單 dbx"),
		wire.MeasuredPolicy:          a.say("Secure Boot policy", "安全開機原則"),
		wire.MeasuredAuthority:       a.say("verified by", "簽署金鑰"),
		wire.MeasuredBootApplication: a.say("boot application", "開機程式"),
		wire.MeasuredMOK:             a.say("machine owner keys", "機器擁有者金鑰"),
		wire.MeasuredLoaderCommand:   a.say("loader command", "開機載入指令"),
		wire.MeasuredCommandLine:     a.say("command line", "核心命令列"),
		wire.MeasuredFile:            a.say("file", "檔案"),
		wire.MeasuredPartitions:      a.say("partitions", "磁碟分割"),
		wire.MeasuredAction:          a.say("action", "動作"),
	}
	if name, ok := names[k]; ok {
		return name
	}
	return a.say("unknown", "未知")
}
