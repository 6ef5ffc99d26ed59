package serve

import "testing"

func TestUnquoted(t *testing.T) {
	for quoted, expected := range map[string]string{
		`'/a.git'`:          `/a.git`,
		`/a.git`:            `/a.git`,
		`'/it'\''s.git'`:    `/it's.git`,
		`'/wow'\!'.git'`:    `/wow!.git`,
		`'/with blank.git'`: `/with blank.git`,
	} {
		if got := unquoted(quoted); got != expected {
			t.Errorf("%s: %s, not %s", quoted, got, expected)
		}
	}
}
