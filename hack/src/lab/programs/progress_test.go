package programs

import (
	"testing"
	"time"
)

func TestToldOfWhatTakesLongerThanExpected(t *testing.T) {
	for _, c := range []struct {
		taken, expected time.Duration
		words           string
	}{
		{30 * time.Second, 410 * time.Second, "30s of about 6m50s"},
		{410 * time.Second, 410 * time.Second, "6m50s of about 6m50s"},
		{480 * time.Second, 410 * time.Second, "8m0s, longer than the 6m50s of two free cores"},
	} {
		if words := told(c.taken, c.expected); words != c.words {
			t.Errorf("%q instead of %q", words, c.words)
		}
	}
}
