package scan_test

import (
	"errors"
	"strings"
	"testing"

	"tillstream/edge/scan"
)

// Numbers of ranges that are kept for films and examples, and of well-known offices.
func TestPhones(t *testing.T) {
	for _, c := range []struct{ text, country, want string }{
		{"020 7946 0018", "GB", "+442079460018"},
		{"+44 20 7946 0018", "DE", "+442079460018"},
		{"0044 20 7946 0018", "DE", "+442079460018"},
		{"(020) 7946-0018", "GB", "+442079460018"},
		{"030 23125 001", "DE", "+493023125001"},
		{"0151 23456789", "DE", "+4915123456789"},
		{"202-456-1111", "US", "+12024561111"},
		{"+39 06 69812345", "DE", "+390669812345"}, // Italy keeps its zero
		{" 01 40 20 50 50 ", "FR", "+33140205050"},
	} {
		if got, err := scanner(t, scan.Config{Country: c.country}).Phone(c.text); err != nil || got != c.want {
			t.Errorf("%q in %s: %q, %v; want %q", c.text, c.country, got, err, c.want)
		}
	}
	for _, text := range []string{
		"", " ", "+", "0", "12", "++442079460018", "44+2079460018", "020 7946 0018 ext 4", "tel:+442079460018",
		"1-800-FLOWERS", "0000000000", "999999999999999", visa, "+\x00442079460018", "٠٢٠٧٩٤٦٠٠١٨",
		strings.Repeat("1", 10_000), ";phone-context=+44", "+4921000000000000", "020-7946-00\n18",
	} {
		got, err := scanner(t, scan.Config{Country: "GB"}).Phone(text)
		if !errors.Is(err, scan.ErrPhone) || got != "" {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
		if err != nil && len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Errorf("%.40q is repeated: %v", text, err)
		}
	}
	nowhere := scanner(t, scan.Config{})
	if _, err := nowhere.Phone("020 7946 0018"); !errors.Is(err, scan.ErrPhone) {
		t.Error("a number without + was read without a country")
	}
	if got, err := nowhere.Phone("+44 20 7946 0018"); err != nil || got != "+442079460018" {
		t.Errorf("a number with + without a country: %q, %v", got, err)
	}
}

func FuzzPhone(f *testing.F) {
	f.Add("020 7946 0018", true)
	f.Add("+49 (0)30 23125001", false)
	british, german := scanner(f, scan.Config{Country: "GB"}), scanner(f, scan.Config{Country: "DE"})
	f.Fuzz(func(t *testing.T, text string, isBritish bool) {
		s := german
		if isBritish {
			s = british
		}
		got, err := s.Phone(text)
		if err != nil {
			return
		}
		if len(got) < 4 || len(got) > 16 || got[0] != '+' || strings.Trim(got[1:], "0123456789") != "" {
			t.Fatalf("%q is %q", text, got)
		}
		if again, err := british.Phone(got); err != nil || again != got {
			t.Fatalf("%q becomes %q, %v", got, again, err)
		}
	})
}
