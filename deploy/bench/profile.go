package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// sample is one stack of a CPU profile.
type sample struct {
	stack  []string // function names, innermost first
	tier   string   // value of the label tierLabel; empty: none
	weight int64    // nanoseconds of CPU
}

var errProfile = errors.New("malformed profile")

// readProfile reads what runtime/pprof writes: a gzipped protocol buffer (google/pprof's profile.proto).
// Only the fields that stages needs are read, which is less than the module that reads them all.
func readProfile(data []byte) ([]sample, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	p := profile{functions: map[uint64]uint64{}, locations: map[uint64][]uint64{}}
	if err := fields(raw, p.field); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return p.resolve()
}

// profile is a profile with numbers where names will be.
type profile struct {
	strings   []string
	functions map[uint64]uint64   // id -> name
	locations map[uint64][]uint64 // id -> functions, innermost first
	samples   []rawSample
}

type rawSample struct {
	locations, values []uint64
	labels            [][2]uint64 // key, value
}

// Field numbers of Profile, Sample, Label, Location, Line and Function.
const (
	profileSample, profileLocation, profileFunction, profileString = 2, 4, 5, 6

	sampleLocation, sampleValue, sampleLabel = 1, 2, 3
	labelKey, labelText                      = 1, 2
	locationID, locationLine                 = 1, 4
	lineFunction                             = 1
	functionID, functionName                 = 1, 2
)

func (p *profile) field(number int, v uint64, b []byte) error {
	switch number {
	case profileString:
		p.strings = append(p.strings, string(b))
	case profileFunction:
		var id, name uint64
		err := fields(b, func(n int, v uint64, _ []byte) error {
			switch n {
			case functionID:
				id = v
			case functionName:
				name = v
			}
			return nil
		})
		p.functions[id] = name
		return err
	case profileLocation:
		return p.location(b)
	case profileSample:
		return p.sample(b)
	}
	return nil
}

func (p *profile) location(b []byte) error {
	var id uint64
	var funcs []uint64
	err := fields(b, func(n int, v uint64, line []byte) error {
		switch n {
		case locationID:
			id = v
		case locationLine:
			return fields(line, func(n int, v uint64, _ []byte) error {
				if n == lineFunction {
					funcs = append(funcs, v)
				}
				return nil
			})
		}
		return nil
	})
	p.locations[id] = funcs
	return err
}

func (p *profile) sample(b []byte) error {
	var s rawSample
	err := fields(b, func(n int, v uint64, b []byte) (err error) {
		switch n {
		case sampleLocation:
			s.locations, err = numbers(s.locations, v, b)
		case sampleValue:
			s.values, err = numbers(s.values, v, b)
		case sampleLabel:
			var l [2]uint64
			err = fields(b, func(n int, v uint64, _ []byte) error {
				switch n {
				case labelKey:
					l[0] = v
				case labelText:
					l[1] = v
				}
				return nil
			})
			s.labels = append(s.labels, l)
		}
		return err
	})
	p.samples = append(p.samples, s)
	return err
}

// resolve puts names for numbers. A CPU profile's samples have two values, the second nanoseconds.
func (p *profile) resolve() ([]sample, error) {
	text := func(i uint64) string {
		if i < uint64(len(p.strings)) {
			return p.strings[i]
		}
		return ""
	}
	out := make([]sample, 0, len(p.samples))
	for _, raw := range p.samples {
		if len(raw.values) != 2 {
			return nil, fmt.Errorf("read profile: %w: a sample has %d values, want 2", errProfile, len(raw.values))
		}
		s := sample{weight: int64(raw.values[1])}
		for _, l := range raw.locations {
			for _, f := range p.locations[l] {
				s.stack = append(s.stack, text(p.functions[f]))
			}
		}
		for _, l := range raw.labels {
			if text(l[0]) == tierLabel {
				s.tier = text(l[1])
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// fields calls fn for each field of a message: with a number, or with bytes.
func fields(b []byte, fn func(number int, v uint64, bytes []byte) error) error {
	const varint, fixed64, text, fixed32 = 0, 1, 2, 5
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return errProfile
		}
		b = b[n:]
		var v uint64
		var data []byte
		switch key & 7 {
		case varint, text:
			if v, n = binary.Uvarint(b); n <= 0 {
				return errProfile
			}
			b = b[n:]
			if key&7 == text {
				if v > uint64(len(b)) {
					return errProfile
				}
				data, b = b[:v], b[v:]
			}
		case fixed64, fixed32:
			size := 8
			if key&7 == fixed32 {
				size = 4
			}
			if len(b) < size {
				return errProfile
			}
			b = b[size:]
		default:
			return errProfile
		}
		if err := fn(int(key>>3), v, data); err != nil {
			return err
		}
	}
	return nil
}

// numbers appends a repeated number, which may come one by one or packed.
func numbers(to []uint64, v uint64, packed []byte) ([]uint64, error) {
	if packed == nil {
		return append(to, v), nil
	}
	for len(packed) > 0 {
		v, n := binary.Uvarint(packed)
		if n <= 0 {
			return to, errProfile
		}
		to, packed = append(to, v), packed[n:]
	}
	return to, nil
}
