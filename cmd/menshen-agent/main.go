// Command menshen-agent is the agent on a laptop: flags → Config → New → Run.
//
// Exit codes of `status`, `check` and `baseline`: 0 healthy, 1 something fails,
// 2 cannot tell; of `doctor`: 0 nothing is wrong, 1 something is. Of everything else: 0
// done or ended when told to, 64 usage, 69 no TPM or no PDP, 73 a socket or the
// state cannot be written, 74 the state cannot be read, 78 the configuration
// must be repaired first (a service manager does not start the agent again),
// 1 anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/internal/reason"
)

// version is set by the build.
var version = "unreleased"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exitCode ends the program with a code and no message.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// execute runs one command and returns the exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, complaints io.Writer) int {
	g := &global{}
	root := command(g)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(complaints)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !g.begun: // the command line itself was wrong
		fmt.Fprintf(complaints, "menshen-agent: %v\n", err)
		return agent.ExitUsage
	}
	complain(complaints, g.language(), err)
	return agent.ExitCode(err)
}

// complain says what is wrong in the person's language, and then the error
// itself for whoever must look deeper.
func complain(w io.Writer, lang reason.Language, err error) {
	why := agent.ReasonOf(err)
	text := reason.Of(lang, why)
	fmt.Fprintf(w, "%s (%s)\n  %s\n  %s\n  [%v]\n", text.Title, why.Code, text.What, text.Do, err)
}

// global is what every command knows.
type global struct {
	file  string
	lang  string
	begun bool
}

func (g *global) config() (agent.Config, error) { return agent.LoadConfig(g.file) }

func (g *global) language() reason.Language { return chooseLanguage(g.lang, os.Getenv) }

func command(g *global) *cobra.Command {
	root := &cobra.Command{
		Use:               "menshen-agent",
		Short:             "Proves this laptop's state to a Menshen PDP",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if _, ok := languages[g.lang]; !ok {
				return fmt.Errorf("--lang: %q is neither en nor zh-TW", g.lang)
			}
			g.begun = true
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&g.file, "config", "c", agent.DefaultConfig(), "configuration file")
	flags.StringVar(&g.lang, "lang", "", "en or zh-TW; by default what LANG says")
	root.AddCommand(run(g), serviceRun(g), helperCommand(g), remedyCommand(g), sessionCommand(g), enrol(g), ekCommand(g), status(g), check(g), fix(g), doctor(g), baselineCommand(g), validate(g), showVersion())
	return root
}
