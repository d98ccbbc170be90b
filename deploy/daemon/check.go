package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"tillstream/central"
	"tillstream/edge/api"
	"tillstream/kv/seal"
)

// settle makes the paths of a configuration absolute, files relative to its data directory as the node
// takes them, and names the files that cannot be read. A setting is a file's when its key ends in _file.
func settle(cfg any, data *string) error {
	abs, err := filepath.Abs(*data)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	*data = abs
	var errs []error
	v := reflect.ValueOf(cfg).Elem()
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		path := v.Field(i).String()
		if !strings.HasSuffix(key, "_file") || path == "" {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(abs, path)
			v.Field(i).SetString(path)
		}
		if _, err := os.ReadFile(path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// checkCardKey looks at what is in the file; that it is not there settle has said.
func checkCardKey(path string) error {
	if _, err := seal.OpenCards(path); err != nil && !isPathError(err) {
		return fmt.Errorf("card_key_file: %w", err)
	}
	return nil
}

// checkTokens looks at what is in the file; that it is not there settle has said.
func checkTokens(path string) error {
	if err := api.CheckTokens(path); err != nil && !isPathError(err) {
		return fmt.Errorf("pos_tokens_file: %w", err)
	}
	return nil
}

// checkStores gives how many stores may join; that the file is not there settle has said.
func checkStores(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, nil
	}
	var list []central.Store
	if err := yaml.UnmarshalWithOptions(b, &list, yaml.Strict()); err != nil {
		return 0, fmt.Errorf("stores_file: %s:\n%s", path, yaml.FormatError(err, false, true))
	}
	for i, s := range list {
		if s.Store.IsZero() || !strings.HasPrefix(s.Nkey, "U") {
			return 0, fmt.Errorf("stores_file: %s: entry %d: want store, and nkey, which begins with U", path, i+1)
		}
	}
	return len(list), nil
}

func isPathError(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

// show prints settings as YAML under a comment.
func show(w io.Writer, what string, cfg any) error {
	b, err := yaml.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\n%s", what, b)
	_, err = w.Write(out.Bytes())
	return err
}
