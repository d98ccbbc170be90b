package setting

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // a computer without zones prices by the same clock as one that has them

	"tillstream/subjects"
)

// Stores says where stores are. What is not said of a store holds for all: their clocks show UTC, they are in
// no set, and phone numbers are read by the country of the setting ScanID.
type Stores struct {
	Zone      string              `json:"zone"`      // of the IANA data base, such as Europe/Berlin: of every store that Zones does not name
	Zones     map[string][]string `json:"zones"`     // stores whose clock is another, by its zone
	Sets      map[string][]string `json:"sets"`      // stores by the set that a promotion names
	Countries map[string][]string `json:"countries"` // stores in whose country phone numbers without + are, such as AT
}

// Store is what is said of one store.
type Store struct {
	Zone    *time.Location
	Sets    []string // by name
	Country string   // empty: as all
}

// ReadStores reads and checks the setting StoresID.
func ReadStores(document []byte) (Stores, error) {
	var v struct {
		head
		Stores
	}
	if err := read(StoresID, document, &v); err != nil {
		return Stores{}, err
	}
	return v.Stores, v.check()
}

func (s *Stores) check() error {
	var errs []error
	if s.Zone != "" {
		errs = append(errs, checkZone("zone", s.Zone))
	}
	for _, zone := range slices.Sorted(maps.Keys(s.Zones)) {
		errs = append(errs, checkZone("zones", zone))
	}
	for _, set := range slices.Sorted(maps.Keys(s.Sets)) {
		if _, err := subjects.ParseToken(set); err != nil {
			errs = append(errs, fmt.Errorf("sets/%s: %w", set, err))
		}
		errs = append(errs, checkStores("sets/"+set, s.Sets[set]))
	}
	for _, country := range slices.Sorted(maps.Keys(s.Countries)) {
		if !isCountry(country) {
			errs = append(errs, fmt.Errorf("countries/%s: want two capital letters of a country, such as AT", country))
		}
	}
	errs = append(errs, checkOnce("zones", s.Zones), checkOnce("countries", s.Countries))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("setting %s: %w", StoresID, err)
	}
	return nil
}

func checkZone(at, name string) error {
	if _, err := loadZone(name); err != nil {
		return fmt.Errorf("%s: %q is none: want a zone of the IANA data base, such as Europe/Berlin", at, name)
	}
	return nil
}

// loadZone gives a zone. What LoadLocation takes for the computer's own is none: it differs from node to node.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("no zone")
	}
	return time.LoadLocation(name)
}

func checkStores(at string, stores []string) error {
	for i, s := range stores {
		if _, err := subjects.ParseStoreID(s); err != nil {
			return fmt.Errorf("%s/%d: want a store's id: %w", at, i, err)
		}
	}
	return nil
}

// checkOnce wants each store in one list at most.
func checkOnce(at string, lists map[string][]string) error {
	in := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		if err := checkStores(at+"/"+name, lists[name]); err != nil {
			return err
		}
		for _, s := range lists[name] {
			if other, ok := in[s]; ok {
				return fmt.Errorf("%s/%s: store %s is in %s already", at, name, s, other)
			}
			in[s] = name
		}
	}
	return nil
}

// Of gives what is said of a store. The setting has been checked.
func (s *Stores) Of(store subjects.StoreID) (of Store, err error) {
	id, zone := store.String(), s.Zone
	for name, stores := range s.Zones {
		if slices.Contains(stores, id) {
			zone = name
		}
	}
	of.Zone = time.UTC
	if zone != "" {
		if of.Zone, err = loadZone(zone); err != nil {
			return of, fmt.Errorf("setting %s: zone %s: %w", StoresID, zone, err)
		}
	}
	for _, set := range slices.Sorted(maps.Keys(s.Sets)) {
		if slices.Contains(s.Sets[set], id) {
			of.Sets = append(of.Sets, set)
		}
	}
	for country, stores := range s.Countries {
		if slices.Contains(stores, id) {
			of.Country = country
		}
	}
	return of, nil
}
