package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// languages are the values of --lang; none means what the environment says.
var languages = map[string]reason.Language{"": "", "en": reason.English, "zh-TW": reason.Chinese}

// chooseLanguage takes --lang, or else the first of LC_ALL, LC_MESSAGES and
// LANG that is set (locale(7)): any Chinese is zh-TW, all else English.
func chooseLanguage(flag string, environment func(string) string) reason.Language {
	if l := languages[flag]; l != "" {
		return l
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := environment(name); value != "" {
			if strings.HasPrefix(strings.ToLower(value), "zh") {
				return reason.Chinese
			}
			return reason.English
		}
	}
	return reason.English
}

// words are the command line's own words in one language; what happened and
// what to do comes from internal/reason.
type words struct {
	device, thisDevice, trust, allGood, refused, cannotTell, notAccepted, unknown string
	measured, fix, comma, configGood, step, enrolled                              string
	oneFailing, manyFailing                                                       string
	remedyForbidden, remedyAllowed, remedyApplied, remedyInterrupted              string
	remedyDone, remedyUndone                                                      string
	now, minutes, hours, days                                                     string
	steps                                                                         []string
	claims                                                                        map[wire.ClaimID]string
	marks                                                                         map[wire.ClaimState]string
	organs                                                                        map[string]string
	baseline                                                                      baselineWords
}

func wordsOf(lang reason.Language) *words {
	if lang == reason.Chinese {
		return chinese()
	}
	return english()
}

func (w *words) failing(n int) string {
	if n == 1 {
		return fmt.Sprintf(w.oneFailing, n)
	}
	return fmt.Sprintf(w.manyFailing, n)
}

func (w *words) claim(id wire.ClaimID) string {
	if name, ok := w.claims[id]; ok {
		return name
	}
	return string(id)
}

// mark is a sign and a word: never a sign alone.
func (w *words) mark(s wire.ClaimState) string {
	if m, ok := w.marks[s]; ok {
		return m
	}
	return w.marks[wire.ClaimError]
}

func (w *words) organ(name string) string {
	if o, ok := w.organs[name]; ok {
		return o
	}
	return name
}

func (w *words) ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return w.now
	case d < time.Hour:
		return fmt.Sprintf(w.minutes, int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf(w.hours, int(d.Hours()))
	}
	return fmt.Sprintf(w.days, int(d.Hours())/24)
}

func english() *words {
	return &words{
		baseline: baselineEnglish(),
		device:   "Device %s", thisDevice: "This device", trust: "trust %d/100", allGood: "all checks pass",
		refused: "refused: %s (%s)", cannotTell: "cannot tell: %s (%s)", notAccepted: "the last measurement was refused", unknown: "cannot tell",
		measured: "measured %s", fix: "fix: %s", comma: ", ", configGood: "the configuration is good",
		step: "Step %d of %d: %s", enrolled: "Enrolled as %s of %s (keys: %s) in %s. The agent starts to attest by itself.",
		oneFailing: "%d check failing: ", manyFailing: "%d checks failing: ",
		remedyForbidden: "not allowed", remedyAllowed: "allowed", remedyApplied: "applied on %s",
		remedyInterrupted: "interrupted; repair again, or undo",
		remedyDone:        "Repaired: %s. To undo it: sudo menshen-agent fix --undo %s\n", remedyUndone: "Undone: %s\n",
		now: "less than a minute ago", minutes: "%d min ago", hours: "%d h ago", days: "%d days ago",
		steps: []string{"opening the TPM", "making keys in the TPM", "proving the TPM to the access service", "writing the state"},
		claims: map[wire.ClaimID]string{
			wire.ClaimOSRelease: "operating system", wire.ClaimDiskEncryption: "disk encryption",
			wire.ClaimFirewall: "firewall", wire.ClaimSecureBoot: "Secure Boot", wire.ClaimOSUpdates: "security updates",
			wire.ClaimScreenLock: "screen lock", wire.ClaimAntivirus: "antivirus", wire.ClaimAutoUpdates: "automatic updates",
			wire.ClaimAdministrators: "administrators", wire.ClaimTimeSync: "time synchronisation",
			wire.ClaimKernelLockdown: "kernel lockdown", wire.ClaimUSBStorage: "USB storage",
		},
		marks: map[wire.ClaimState]string{
			wire.ClaimPass: "✔ passes:", wire.ClaimFail: "✖ fails:", wire.ClaimError: "? cannot be measured:",
			wire.ClaimNotApplicable: "– not applicable:", wire.ClaimManual: "– checked by hand:", wire.ClaimException: "– exception:",
		},
		organs: map[string]string{
			"agent": "the agent answers", "state": "the state is readable", "tpm": "the TPM answers", "keys": "the software keys open", "helper": "the helper answers",
			"pdp": "the access service answers, under the pinned CA", "clock": "the clock is right", "port": "the loopback port is there",
			"seat": "who sits here can be told",
		},
	}
}

func chinese() *words {
	return &words{
		baseline: baselineChinese(),
		device:   "裝置 %s", thisDevice: "這台裝置", trust: "信任 %d/100", allGood: "所有檢查皆符合",
		refused: "被拒絕：%s (%s)", cannotTell: "無法判斷：%s (%s)", notAccepted: "上次量測被拒絕", unknown: "無法判斷",
		measured: "%s量測", fix: "修復方式：%s", comma: "、", configGood: "設定檔正確",
		step: "第 %d / %d 步：%s", enrolled: "已註冊為 %s，機關 %s，金鑰 %s，歷時 %s。代理程式將自動開始證明。",
		oneFailing: "%d 項未符合：", manyFailing: "%d 項未符合：",
		remedyForbidden: "未允許", remedyAllowed: "已允許", remedyApplied: "已於 %s 修復",
		remedyInterrupted: "修復中斷；請再次修復或復原",
		remedyDone:        "已修復：%s。復原方式：sudo menshen-agent fix --undo %s\n", remedyUndone: "已復原：%s\n",
		now: "不到一分鐘前", minutes: "%d 分鐘前", hours: "%d 小時前", days: "%d 天前",
		steps: []string{"開啟 TPM", "在 TPM 中建立金鑰", "向存取服務證明 TPM", "寫入狀態"},
		claims: map[wire.ClaimID]string{
			wire.ClaimOSRelease: "作業系統", wire.ClaimDiskEncryption: "磁碟加密",
			wire.ClaimFirewall: "防火牆", wire.ClaimSecureBoot: "安全開機", wire.ClaimOSUpdates: "安全性更新",
			wire.ClaimScreenLock: "螢幕鎖定", wire.ClaimAntivirus: "防毒軟體", wire.ClaimAutoUpdates: "自動更新",
			wire.ClaimAdministrators: "系統管理員", wire.ClaimTimeSync: "時間同步",
			wire.ClaimKernelLockdown: "核心鎖定", wire.ClaimUSBStorage: "USB 儲存裝置",
		},
		marks: map[wire.ClaimState]string{
			wire.ClaimPass: "✔ 符合：", wire.ClaimFail: "✖ 未符合：", wire.ClaimError: "? 無法量測：",
			wire.ClaimNotApplicable: "– 不適用：", wire.ClaimManual: "– 人工查核：", wire.ClaimException: "– 例外：",
		},
		organs: map[string]string{
			"agent": "代理程式有回應", "state": "狀態檔可讀取", "tpm": "TPM 有回應", "keys": "軟體金鑰可開啟", "helper": "輔助程序有回應",
			"pdp": "存取服務有回應，且憑證授權單位相符", "clock": "時鐘正確", "port": "本機連接埠可用",
			"seat": "可辨識目前的使用者",
		},
	}
}
