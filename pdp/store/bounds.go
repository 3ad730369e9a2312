package store

import "fmt"

// Bounds of keys, values and transactions, the same for every implementation.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 1 << 20
	// MaxTxnParts bounds conditions and ops of one Txn, each.
	MaxTxnParts = 128
	// MaxPageRecords bounds a Page; a larger limit, or none, means this one.
	MaxPageRecords = 1000
)

// CheckKey reports ErrInvalid unless key can be stored.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: a key of %d bytes", ErrInvalid, len(key))
	}
	return nil
}

// CheckTxn reports ErrInvalid unless a Txn lies within the bounds and writes
// no key twice: the order of two writes to one key would mean nothing.
func CheckTxn(conditions []Compare, ops []Op) error {
	if len(conditions) > MaxTxnParts || len(ops) > MaxTxnParts {
		return fmt.Errorf("%w: %d conditions and %d ops", ErrInvalid, len(conditions), len(ops))
	}
	for _, c := range conditions {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
		if c.Revision < 0 {
			return fmt.Errorf("%w: compares with revision %d", ErrInvalid, c.Revision)
		}
	}
	seen := make(map[string]struct{}, len(ops))
	for _, op := range ops {
		if err := CheckKey(op.Key); err != nil {
			return err
		}
		if len(op.Value) > MaxValueBytes {
			return fmt.Errorf("%w: a value of %d bytes", ErrInvalid, len(op.Value))
		}
		if _, twice := seen[op.Key]; twice {
			return fmt.Errorf("%w: one key written twice", ErrInvalid)
		}
		seen[op.Key] = struct{}{}
	}
	return nil
}
