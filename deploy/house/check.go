package house

import (
	"io/fs"
	"slices"
)

// Check reads the module whose top is fsys and gives every fault as "where: rule", sorted.
func Check(fsys fs.FS) ([]string, error) {
	m, err := read(fsys)
	if err != nil {
		return nil, err
	}
	var faults []string
	fault := func(where, rule string) { faults = append(faults, where+": "+rule) }
	m.checkTop(fault)
	m.checkPackages(fault)
	m.checkImports(fault)
	m.checkFiles(fault)
	slices.Sort(faults)
	return slices.Compact(faults), nil
}
