package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

func (p *program) signalsCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:     "signals",
		Short:   "Look at the streams of security events, and stop them",
		Long:    "A receiver makes and changes its own stream. These commands are for those who run the server; they work on the store.",
		Example: "  sallyport signals streams list",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	streams := &cobra.Command{
		Use: "streams", Short: "List, show, stop and delete streams", Example: "  sallyport signals streams list --json", Args: subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	streams.AddCommand(p.streamsList(t), p.streamsShow(t), p.streamsStatus(t), p.streamsDelete(t))
	cmd.AddCommand(streams)
	return cmd
}

// streamView is a stream in listings. The address may hold what is nobody's
// business, so it is shown without its query.
type streamView struct {
	ID          string   `json:"stream_id"`
	ClientID    string   `json:"client_id"`
	Method      string   `json:"method"`
	Endpoint    string   `json:"endpoint,omitempty"`
	Events      []string `json:"events"`
	Description string   `json:"description,omitempty"`
	Status      string   `json:"status"`
	Reason      string   `json:"reason,omitempty"`
	Attempts    int      `json:"failed_attempts"`
	Problem     string   `json:"problem,omitempty"`
	CreatedAt   string   `json:"created_at"`
}

func viewStream(s *signals.Stream) streamView {
	v := streamView{
		ID: s.ID.String(), ClientID: s.ClientID, Method: "poll", Events: s.Delivered(), Description: s.Description,
		Status: string(s.Status), Reason: s.Reason, Attempts: s.Attempts, Problem: s.Problem, CreatedAt: moment(s.CreatedAt),
	}
	if s.Method == signals.Push {
		v.Method, v.Endpoint = "push", outbound.Show(s.EndpointURL)
	}
	return v
}

func (a *admin) streamNamed(ctx context.Context, name string) (signals.Stream, error) {
	id, err := secret.ParseID(name)
	if err != nil {
		return signals.Stream{}, refusef("there is no stream %q: sallyport signals streams list shows all", name)
	}
	s, err := a.store.Signals().Stream(ctx, id, "")
	return s, noStream(name, err)
}

func noStream(name string, err error) error {
	if errors.Is(err, signals.ErrNotFound) {
		return refusef("there is no stream %q: sallyport signals streams list shows all", name)
	}
	return err
}

func (p *program) streamsList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all streams", Example: "  sallyport signals streams list", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			list, err := a.store.Signals().Streams(ctx, "")
			if err != nil {
				return err
			}
			views := []streamView{}
			for i := range list {
				views = append(views, viewStream(&list[i]))
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "STREAM_ID\tCLIENT\tMETHOD\tSTATUS\tFAILED\tPROBLEM")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", v.ID, v.ClientID, v.Method, v.Status, v.Attempts, v.Problem)
			}
			return w.Flush()
		}),
	}
}

func (p *program) streamsShow(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show STREAM_ID", Short: "Show a stream", Example: "  sallyport signals streams show 06h0qraq035vkr9e7dlm6ptb9o", Args: oneArg("STREAM_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			s, err := a.streamNamed(ctx, args[0])
			if err != nil {
				return err
			}
			v := viewStream(&s)
			return a.print(v, "stream_id    %s\nclient       %s\nmethod       %s %s\nevents       %v\ndescription  %s\nstatus       %s %s\nfailed       %d %s\ncreated      %s",
				v.ID, v.ClientID, v.Method, v.Endpoint, v.Events, v.Description, v.Status, v.Reason, v.Attempts, v.Problem, v.CreatedAt)
		}),
	}
}

func (p *program) streamsStatus(t *target) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "status STREAM_ID enabled|paused|disabled",
		Short: "Stop a stream or let it go on, and tell its receiver",
		Long: "A paused stream keeps its events, a disabled one drops them and takes no more. The receiver is told, and may\n" +
			"enable it again: to keep it from that, disable the client.",
		Example: "  sallyport signals streams status 06h0qraq035vkr9e7dlm6ptb9o paused --reason maintenance",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%s needs a STREAM_ID and a status; see %s --help", spoken(cmd), cmd.CommandPath())
			}
			return nil
		},
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			status := signals.Status(args[1])
			if status != signals.Enabled && status != signals.Paused && status != signals.Disabled {
				return refusef("%q is not enabled, paused or disabled", args[1])
			}
			s, err := a.streamNamed(ctx, args[0])
			if err != nil {
				return err
			}
			if s, err = a.store.Signals().SetStatus(ctx, s.ID, "", status, reason, true, a.now()); err != nil {
				return noStream(args[0], err)
			}
			return a.print(viewStream(&s), "%s is %s; its receiver is told", s.ID, s.Status)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what the receiver is told, as `TEXT`")
	return cmd
}

func (p *program) streamsDelete(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "delete STREAM_ID", Short: "Delete a stream and what waits in it", Example: "  sallyport signals streams delete 06h0qraq035vkr9e7dlm6ptb9o", Args: oneArg("STREAM_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			s, err := a.streamNamed(ctx, args[0])
			if err != nil {
				return err
			}
			if err := a.store.Signals().DeleteStream(ctx, s.ID, ""); err != nil {
				return noStream(args[0], err)
			}
			return a.print(map[string]string{"stream_id": args[0], "done": "delete"}, "%s is deleted", args[0])
		}),
	}
}
