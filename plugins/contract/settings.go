package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// SettingsVariable is where a host leaves a plugin's settings, as JSON.
const SettingsVariable = "MENSHEN_INFERENCE_SETTINGS"

// Settings reads what the operator set for this plugin over the defaults that
// are in into, a pointer to a struct with JSON tags. A setting that into does
// not have is an error: an operator's typing mistake must not pass for a
// setting. Call it in main, before Serve, and end the program on an error.
func Settings(into any) error {
	text := os.Getenv(SettingsVariable)
	if text == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("contract: settings: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("contract: settings: more than one value")
	}
	return nil
}
