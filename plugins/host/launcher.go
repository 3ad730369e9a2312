//go:build linux

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// LauncherConfig is what a Launcher stands on. All but Program is needed.
type LauncherConfig struct {
	Logger *slog.Logger
	// Dir is the launcher's own folder: its socket lies in it, and a folder for
	// each plugin's. It is made if need be.
	Dir string
	// UID is the one user who may ask, GID that user's group, by which the host
	// reaches the plugins' sockets.
	UID, GID int
	// FirstUID and UIDs are the users that plugins run as where the configuration
	// names none. Nobody else may have them.
	FirstUID, UIDs int
	// Registered reads the registration, which only root can have written.
	Registered func() ([]Config, error)
	// Program is as Options.Launcher.
	Program []string
	Clock   func() time.Time

	owners   []int
	patience time.Duration // with a caller who says nothing
}

// Bounds of a Launcher.
const (
	// LauncherSocket is the socket's name in LauncherConfig.Dir.
	LauncherSocket = "launcher.sock"

	maxLives      = 2 * maxPlugins // each may be exchanged
	maxLivesEach  = 2
	maxStarts     = 20 // of one plugin in startsWithin
	startsWithin  = time.Minute
	askPatience   = 2 * time.Second
	maxAskers     = 8
	maxLauncherID = 1<<31 - 2
)

// Launcher starts plugins with root's rights for a host that has none
// (design, invariant 8). A caller says a name and nothing else: program,
// checksum, user, limits and settings are the registration's. Each plugin runs
// as a user of its own, whom no other plugin and not the host is; it ends with
// the connection by which it was asked for, and with the launcher.
type Launcher struct {
	config LauncherConfig
	lives  chan struct{} // a token for each plugin
	askers chan struct{} // a token for each caller who has not been answered

	mu     sync.Mutex
	users  map[int]holder
	living map[string]int
	starts map[string][]time.Time
	told   time.Time // when a stranger was last told of
}

// NewLauncher checks the configuration and clears what an earlier launcher left.
func NewLauncher(c LauncherConfig) (*Launcher, error) {
	if c.Logger == nil || c.Registered == nil || c.Clock == nil || !filepath.IsAbs(c.Dir) || filepath.Clean(c.Dir) != c.Dir {
		return nil, fmt.Errorf("%w: the launcher needs a logger, a clock, a registration and an absolute folder", ErrConfig)
	}
	if c.UID <= 0 || c.GID <= 0 || c.FirstUID <= 0 || c.UIDs <= 0 || c.FirstUID > maxLauncherID-c.UIDs {
		return nil, fmt.Errorf("%w: the launcher serves one user who is not root, and needs users for plugins", ErrConfig)
	}
	if len(c.Dir)+len("/") > maxSocketPath {
		return nil, fmt.Errorf("%w: %s is too long a path for a socket", ErrConfig, c.Dir)
	}
	for uid := c.FirstUID; uid < c.FirstUID+c.UIDs; uid++ {
		if who, err := user.LookupId(strconv.Itoa(uid)); err == nil {
			return nil, fmt.Errorf("%w: uid %d is %s's: plugins need users whom nobody else is", ErrConfig, uid, who.Username)
		}
	}
	if c.owners == nil {
		c.owners = []int{0}
	}
	if c.patience == 0 {
		c.patience = askPatience
	}
	if len(c.Program) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		c.Program = []string{self, "plugin-launch"}
	}
	l := &Launcher{
		config: c, lives: make(chan struct{}, maxLives), askers: make(chan struct{}, maxAskers),
		users: map[int]holder{}, living: map[string]int{}, starts: map[string][]time.Time{},
	}
	return l, l.prepare()
}

// prepare makes the folder: others pass through to what is theirs in it.
func (l *Launcher) prepare() error {
	if err := os.MkdirAll(l.config.Dir, 0o711); err != nil { // #nosec G301 -- plugins pass through
		return err
	}
	info, err := os.Lstat(l.config.Dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s is not the launcher's own folder", ErrConfig, l.config.Dir)
	}
	// Whoever could exchange a folder above would have root give files away.
	if err := checkFolders(filepath.Join(l.config.Dir, LauncherSocket), l.config.owners); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := os.Chmod(l.config.Dir, 0o711); err != nil { // #nosec G302 -- plugins pass through
		return err
	}
	entries, err := os.ReadDir(l.config.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.clear(filepath.Join(l.config.Dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// clear removes a plugin's folder, which belongs to the plugin. The plugin may
// have closed it, and the launcher has no right to pass by a file's mode.
func (l *Launcher) clear(path string) error {
	if err := os.Lchown(path, os.Geteuid(), os.Getegid()); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() { // a link would lead elsewhere
		if err := os.Chmod(path, 0o700); err != nil { // #nosec G302 -- the launcher's own now
			return err
		}
	}
	return os.RemoveAll(path)
}

// Run serves until ctx ends. All plugins have ended then.
func (l *Launcher) Run(ctx context.Context) error {
	path := filepath.Join(l.config.Dir, LauncherSocket)
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if err := os.Chown(path, 0, l.config.GID); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o660); err != nil { // #nosec G302 -- the group is the host's, and each caller's uid is checked
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	l.config.Logger.Info("plugin launcher is ready", "socket", path)
	for {
		conn, err := listener.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		select {
		case l.askers <- struct{}{}:
			serving.Go(func() { l.serve(ctx, conn) })
		default:
			_ = conn.Close() // too many at once, and not one has been answered
		}
	}
}

// serve is one caller, from the question to the end of its plugin.
func (l *Launcher) serve(ctx context.Context, conn *net.UnixConn) {
	defer func() { _ = conn.Close() }()
	asking := sync.OnceFunc(func() { <-l.askers })
	defer asking()
	one, err := l.launch(conn)
	asking()
	if err != nil {
		l.refuse(conn, err)
		return
	}
	l.config.Logger.Info("plugin is started", "plugin", one.name, "pid", one.process.pid(), "uid", one.uid)
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		_, _ = conn.Read(make([]byte, 1)) // whatever comes is the end
	}()
	ended := context.AfterFunc(ctx, one.process.kill)
	defer ended()
	select {
	case <-hungUp:
		one.process.kill()
		<-one.process.ended()
	case <-one.process.ended():
	}
	status := "ended"
	if err := one.process.status(); err != nil {
		status = err.Error()
	}
	one.release() // first: who hears of the end may ask again at once
	l.say(conn, launchAnswer{Ended: status})
	_ = conn.Close()
	<-hungUp
}

func (l *Launcher) say(conn *net.UnixConn, a launchAnswer) {
	raw, err := json.Marshal(a)
	if err == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(l.config.patience))
		_, _ = conn.Write(raw) // a caller who is gone hears nothing
	}
}

var errStranger = errors.New("plugin launcher: not the host's user")

// tellEvery bounds how often strangers fill the log.
const tellEvery = 10 * time.Second

// refuse tells the caller why; a stranger hears nothing.
func (l *Launcher) refuse(conn *net.UnixConn, err error) {
	if !errors.Is(err, errStranger) {
		l.config.Logger.Warn("plugin is not started", "reason", short(err))
		l.say(conn, launchAnswer{Refused: short(err)})
		return
	}
	l.mu.Lock()
	now := l.config.Clock()
	quiet := now.Sub(l.told) < tellEvery
	if !quiet {
		l.told = now
	}
	l.mu.Unlock()
	if !quiet {
		l.config.Logger.Warn("a stranger asked for a plugin", "reason", short(err))
	}
}

// life of one plugin under a Launcher.
type launcherLife struct {
	launcher *Launcher
	name     string
	uid      int
	dir      string
	process  *forked
}

func (l *Launcher) launch(conn *net.UnixConn) (*launcherLife, error) {
	peer, err := peerOf(conn)
	if err != nil {
		return nil, err
	}
	if int(peer.Uid) != l.config.UID {
		return nil, fmt.Errorf("%w: uid %d", errStranger, peer.Uid)
	}
	ask, theirs, err := l.hear(conn)
	defer theirs.close()
	if err != nil {
		return nil, err
	}
	c, err := l.registered(ask)
	if err != nil {
		return nil, err
	}
	one, err := l.admit(c)
	if err != nil {
		return nil, err
	}
	if err := l.start(one, c, theirs); err != nil {
		one.release()
		return nil, err
	}
	l.say(conn, launchAnswer{PID: one.process.pid(), SocketDir: one.dir})
	return one, nil
}

// hear reads the question and the three descriptors that come with it.
func (l *Launcher) hear(conn *net.UnixConn) (ask launchAsk, theirs pipes, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(l.config.patience)); err != nil {
		return ask, nil, err
	}
	raw, control := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(16*4))
	n, controls, flags, _, err := conn.ReadMsgUnix(raw, control)
	if err != nil {
		return ask, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return ask, nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // not descriptors
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			theirs = append(theirs, os.NewFile(uintptr(fd), "plugin")) // #nosec G115 -- a descriptor
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw[:n]))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&ask); {
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0, err != nil, decoder.More():
		return ask, theirs, errors.New("plugin launcher: not a question")
	case len(theirs) != 3:
		return ask, theirs, fmt.Errorf("plugin launcher: want three descriptors, got %d", len(theirs))
	case !theirs.pipes():
		return ask, theirs, errors.New("plugin launcher: want pipes, and nothing else")
	}
	return ask, theirs, conn.SetReadDeadline(time.Time{})
}

// pipes reports whether nothing else is among them. Root writes to them before
// it is the plugin's user: a socket would tell the other end that it was root.
func (p pipes) pipes() bool {
	for _, f := range p {
		if info, err := f.Stat(); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			return false
		}
	}
	return true
}

// registered finds the plugin in the registration as it stands now.
func (l *Launcher) registered(ask launchAsk) (*Config, error) {
	all, err := l.config.Registered()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(c Config) bool { return c.Name == ask.Name })
	if at < 0 || len(all) > maxPlugins {
		return nil, fmt.Errorf("%w: no plugin of that name", ErrConfig)
	}
	c := all[at]
	if c.SHA256 != ask.SHA256 {
		return nil, fmt.Errorf("%w: %s: the registration names another program now: reload it", ErrConfig, c.Name)
	}
	own := c.UID // 0 has one chosen
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	c.UID, c.GID = own, own
	switch {
	case own == l.config.UID, own == l.config.GID:
		return nil, fmt.Errorf("%w: %s would run as the host's user", ErrConfig, c.Name)
	case own >= l.config.FirstUID && own < l.config.FirstUID+l.config.UIDs:
		return nil, fmt.Errorf("%w: %s: uid %d is one of those that are chosen for others", ErrConfig, c.Name, own)
	}
	return &c, nil
}

// holder is the plugin that runs as a user, and how often it does.
type holder struct {
	name  string
	lives int
}

// admit bounds what runs and what starts, and gives the plugin its user.
func (l *Launcher) admit(c *Config) (*launcherLife, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.config.Clock()
	recent := slices.DeleteFunc(l.starts[c.Name], func(t time.Time) bool { return now.Sub(t) >= startsWithin })
	if len(recent) >= maxStarts {
		return nil, fmt.Errorf("plugin launcher: %s was started %d times within %v", c.Name, maxStarts, startsWithin)
	}
	if l.living[c.Name] >= maxLivesEach {
		return nil, fmt.Errorf("plugin launcher: %s runs %d times", c.Name, maxLivesEach)
	}
	if c.UID == 0 {
		for uid := l.config.FirstUID; uid < l.config.FirstUID+l.config.UIDs && c.UID == 0; uid++ {
			if l.users[uid].lives == 0 && uid != l.config.UID && uid != l.config.GID {
				c.UID, c.GID = uid, uid
			}
		}
	}
	if c.UID == 0 {
		return nil, errors.New("plugin launcher: no user is left for another plugin")
	}
	by := l.users[c.UID]
	if by.lives > 0 && by.name != c.Name { // the registration gave it to another in the meantime
		return nil, fmt.Errorf("plugin launcher: %s still runs as uid %d", by.name, c.UID)
	}
	select {
	case l.lives <- struct{}{}:
	default:
		return nil, errors.New("plugin launcher: too many plugins run")
	}
	l.starts[c.Name] = append(recent, now)
	l.living[c.Name]++
	l.users[c.UID] = holder{name: c.Name, lives: by.lives + 1}
	return &launcherLife{launcher: l, name: c.Name, uid: c.UID}, nil
}

func (l *Launcher) start(one *launcherLife, c *Config, theirs pipes) (err error) {
	if one.dir, err = os.MkdirTemp(l.config.Dir, "plugin-dir"); err != nil {
		return err
	}
	// The plugin's own, and its host's to pass through; nobody else's.
	if err := os.Chmod(one.dir, 0o710); err != nil { // #nosec G302 -- the group is the host's
		return err
	}
	if err := os.Chown(one.dir, c.UID, l.config.GID); err != nil {
		return err
	}
	spec := c.launchSpec(l.config.owners, one.dir)
	spec.GroupSocket = true
	one.process, err = fork(l.config.Program, spec, c.environment(handshake(one.dir)), theirs)
	return err
}

// handshake is what go-plugin tells a plugin; nothing of it is the caller's.
func handshake(socketDir string) []string {
	h := contract.Handshake()
	versions := ""
	for v := range contract.HostPlugins() {
		versions += strconv.Itoa(v) + ","
	}
	return []string{
		h.MagicCookieKey + "=" + h.MagicCookieValue, "PLUGIN_MIN_PORT=0", "PLUGIN_MAX_PORT=0",
		"PLUGIN_PROTOCOL_VERSIONS=" + versions[:len(versions)-1], "PLUGIN_UNIX_SOCKET_DIR=" + socketDir,
	}
}

// release gives back what the plugin had; its process has ended.
func (o *launcherLife) release() {
	l := o.launcher
	if o.dir != "" {
		if err := l.clear(o.dir); err != nil {
			l.config.Logger.Warn("a plugin's socket remains", "plugin", o.name, "reason", err.Error())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if by := l.users[o.uid]; by.lives > 1 {
		l.users[o.uid] = holder{name: by.name, lives: by.lives - 1}
	} else {
		delete(l.users, o.uid)
	}
	if l.living[o.name]--; l.living[o.name] <= 0 {
		delete(l.living, o.name)
	}
	<-l.lives
}
