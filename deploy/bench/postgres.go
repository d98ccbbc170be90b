package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Where Debian keeps the servers, and how a bench names its own.
const (
	postgresGlob    = "/usr/lib/postgresql/*/bin"
	postgresUser    = "bench"
	postgresClients = 16 // more were slower
)

// postgres is a server of our own, on a unix socket, with the durability it has by default.
type postgres struct {
	bin, dir string
	uid, gid int // to run as; zero: as we do
	server   *exec.Cmd
	log      bytes.Buffer // of the server; read when it has ended
}

// openPostgres starts a server and fills it. It gives no server, and why, when there is none to start.
func (b *bench) openPostgres(ctx context.Context, entry []byte) (_ *postgres, why string, err error) {
	bin := newestPostgres()
	if bin == "" && b.cmd.Install {
		if err := install(ctx, "postgresql"); err != nil {
			return nil, "", err
		}
		bin = newestPostgres()
	}
	if bin == "" {
		return nil, "it is not installed here; --install installs it on Debian", nil
	}
	p := &postgres{bin: bin}
	if p.uid, p.gid, err = unprivileged(); err != nil {
		return nil, err.Error(), nil
	}
	if p.dir, err = b.place.onDisk("postgresql"); err != nil {
		return nil, "", err
	}
	if err := p.open(ctx, entry); err != nil {
		return nil, "", errors.Join(fmt.Errorf("start PostgreSQL: %w", err), p.close())
	}
	return p, "", nil
}

// newestPostgres gives the newest server's directory of programs, or "".
func newestPostgres() string {
	found, err := filepath.Glob(postgresGlob)
	if err != nil {
		return ""
	}
	version := func(dir string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err != nil {
			return 0
		}
		return n
	}
	found = slices.DeleteFunc(found, func(dir string) bool {
		for _, program := range []string{"initdb", "postgres", "psql", "pgbench"} {
			if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
				return true
			}
		}
		return false
	})
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
}

// unprivileged gives the user to run a server as: PostgreSQL refuses to run as root.
func unprivileged() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return 0, 0, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return uid, gid, nil
		}
	}
	return 0, 0, errors.New("it does not run as root, and there is no other user here")
}

func (p *postgres) open(ctx context.Context, entry []byte) error {
	if p.uid != 0 {
		// The directory above belongs to us alone; the server must be able to pass.
		if err := errors.Join(os.Chown(p.dir, p.uid, p.gid), os.Chmod(filepath.Dir(p.dir), 0o711)); err != nil {
			return err
		}
	}
	data := filepath.Join(p.dir, "data")
	if _, err := p.run(ctx, nil, "initdb", "-D", data, "-U", postgresUser, "--auth=trust", "--encoding=UTF8", "--locale=C"); err != nil {
		return err
	}
	// fsync, full_page_writes and synchronous_commit stay on, as they are by default.
	p.server = p.command(context.WithoutCancel(ctx), "postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB")
	p.server.Stdout, p.server.Stderr = &p.log, &p.log
	if err := p.server.Start(); err != nil {
		return err
	}
	if err := until(ctx, 50*time.Millisecond, "PostgreSQL answers", func() error {
		_, err := p.sql(ctx, "SELECT 1")
		return err
	}); err != nil {
		return err
	}
	if _, err := p.sql(ctx, fmt.Sprintf(`
CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account bigint NOT NULL, points bigint NOT NULL, record bytea NOT NULL);
INSERT INTO account SELECT n, 0 FROM generate_series(1, %d) n;
VACUUM ANALYZE;
CHECKPOINT;`, accounts)); err != nil {
		return err
	}
	script := fmt.Sprintf(`\set account random(1, %d)
BEGIN;
UPDATE account SET balance = balance + 7 WHERE id = :account RETURNING balance;
INSERT INTO entry (account, points, record) VALUES (:account, 7, '\x%x');
COMMIT;
`, accounts, entry)
	return os.WriteFile(p.script(), []byte(script), 0o644)
}

func (p *postgres) script() string { return filepath.Join(p.dir, "transaction.sql") }

// command makes a command that runs as the server's user, in its directory.
func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "HOME="+p.dir, "LC_ALL=C")
	cmd.WaitDelay = time.Second
	if p.uid != 0 {
		runAs(cmd, p.uid, p.gid)
	}
	return cmd
}

func (p *postgres) run(ctx context.Context, stdin []byte, program string, args ...string) ([]byte, error) {
	cmd := p.command(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %.500s", program, err, out)
	}
	return out, nil
}

func (p *postgres) sql(ctx context.Context, text string) ([]byte, error) {
	return p.run(ctx, []byte(text), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", postgresUser, "-d", "postgres")
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)

// transact runs transactions for so long, in whole seconds, and gives transactions a second.
func (p *postgres) transact(ctx context.Context, lasts time.Duration) (float64, error) {
	out, err := p.run(ctx, nil, "pgbench", "-n", "-M", "prepared", "-f", p.script(), "-c", strconv.Itoa(postgresClients), "-j", "2",
		"-T", strconv.Itoa(int(lasts.Seconds())), "-h", p.dir, "-U", postgresUser, "postgres")
	if err != nil {
		return 0, err
	}
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench says no transactions a second: %.500s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// close stops the server and waits for it.
func (p *postgres) close() error {
	if p.server == nil || p.server.Process == nil {
		return nil
	}
	if err := p.server.Process.Signal(syscall.SIGINT); err != nil { // its "fast" shutdown
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if err := p.server.Wait(); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w: %.500s", err, p.log.Bytes())
	}
	return nil
}
