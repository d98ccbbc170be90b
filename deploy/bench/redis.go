package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a server of our own, on a loopback port, that keeps nothing on the disk.
type redisServer struct {
	server *exec.Cmd
	log    bytes.Buffer // of the server; read when it has ended
	client *redis.Client
}

// openRedis starts a server and fills it with so many values. It gives no server, and why, when there is
// none to start.
func (b *bench) openRedis(ctx context.Context, n int, key func(int) string, value string) (_ *redisServer, why string, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil && b.cmd.Install {
		if err := install(ctx, "redis-server"); err != nil {
			return nil, "", err
		}
		program, err = exec.LookPath("redis-server")
	}
	if err != nil {
		return nil, "it is not installed here; --install installs it on Debian", nil
	}
	dir, err := b.place.onDisk("redis")
	if err != nil {
		return nil, "", err
	}
	free, err := freeAddresses(1)
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(free[0])
	if err != nil {
		return nil, "", err
	}
	r := &redisServer{client: redis.NewClient(&redis.Options{Addr: free[0], Protocol: 2, DisableIdentity: true})}
	// A port of our own and a directory of our own: a server that the machine has is left alone.
	r.server = exec.CommandContext(context.WithoutCancel(ctx), program, "--bind", "127.0.0.1", "--port", port, "--dir", dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	r.server.Stdout, r.server.Stderr = &r.log, &r.log
	if err := r.server.Start(); err != nil {
		return nil, "", errors.Join(fmt.Errorf("start Redis: %w", err), r.client.Close())
	}
	if err := r.fill(ctx, n, key, value); err != nil {
		return nil, "", errors.Join(fmt.Errorf("start Redis: %w", err), r.close())
	}
	return r, "", nil
}

func (r *redisServer) fill(ctx context.Context, n int, key func(int) string, value string) error {
	ready, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if err := until(ready, 20*time.Millisecond, "Redis answers", func() error { return r.client.Ping(ready).Err() }); err != nil {
		return err
	}
	const at = 1000
	for i := 0; i < n; i += at {
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for k := i; k < min(i+at, n); k++ {
				p.Set(ctx, key(k), value, 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// get asks for values, one after the other, and gives how long each took.
func (r *redisServer) get(ctx context.Context, keys []string, size int) ([]time.Duration, error) {
	took := make([]time.Duration, len(keys))
	for i, key := range keys {
		start := time.Now()
		v, err := r.client.Get(ctx, key).Bytes()
		took[i] = time.Since(start)
		if err != nil || len(v) != size {
			return nil, fmt.Errorf("redis gives %d bytes, want %d: %w", len(v), size, err)
		}
	}
	return took, nil
}

// close stops the server and waits for it.
func (r *redisServer) close() error {
	err := r.client.Close()
	if e := r.server.Process.Signal(syscall.SIGTERM); e != nil {
		return errors.Join(err, fmt.Errorf("stop Redis: %w", e))
	}
	if e := r.server.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("stop Redis: %w: %.500s", e, r.log.Bytes()))
	}
	return err
}

// install installs a package of Debian's.
func install(ctx context.Context, name string) error {
	cmd := exec.CommandContext(ctx, "apt-get", "install", "-y", name)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w: %.500s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
