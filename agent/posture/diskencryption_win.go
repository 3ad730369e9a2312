//go:build !darwin

package posture

import (
	"context"
	"strconv"
)

// Answers of Win32_EncryptableVolume's methods.
const (
	protectionOff, protectionOn = 0, 1
	fullyEncrypted              = 1
)

// diskEncryptionWin passes when the volume that Windows starts from is fully
// encrypted and its key is protected: a suspended BitLocker keeps the key in
// the clear beside the data.
func diskEncryptionWin(ctx context.Context, m Machine) outcome {
	v, err := m.Windows.SystemVolume(ctx)
	if err != nil {
		return cannot("BitLocker does not answer: %v", err)
	}
	value := map[string]string{
		"volume": v.Letter, "protection": strconv.FormatUint(uint64(v.Protection), 10), "conversion": strconv.FormatUint(uint64(v.Conversion), 10),
	}
	switch {
	case v.Protection == protectionOn && v.Conversion == fullyEncrypted:
		return passes(value)
	case v.Protection == protectionOn:
		return fails(value, "volume %s is not fully encrypted", v.Letter)
	case v.Protection == protectionOff && v.Conversion == fullyEncrypted:
		return fails(value, "BitLocker is suspended on volume %s", v.Letter)
	case v.Protection == protectionOff:
		return fails(value, "BitLocker is off on volume %s", v.Letter)
	}
	return cannot("volume %s is locked or its state not known", v.Letter)
}
