package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/audit"
)

// toAsk is for a person whose consent a client asks for.
const toAsk = "ask:"

// ask tells a person that something waits for them. What has expired is not sent
// any more; without mail, people find it on the page.
func (w *Worker) ask(ctx context.Context, to string, list []Notice) ([]Notice, error) {
	var open []audit.Ask
	for _, n := range list {
		var a audit.Ask
		if err := json.Unmarshal(n.Body, &a); err != nil {
			return nil, fmt.Errorf("read notice %s: %w", n.ID, err)
		}
		if w.o.Now().Before(a.Until) {
			open = append(open, a)
		}
	}
	if len(open) == 0 || w.o.Mailer == nil {
		return list, nil
	}
	address, err := w.o.Directory.Address(ctx, strings.TrimPrefix(to, toAsk))
	if err != nil {
		return nil, err
	}
	if address == "" {
		return list, nil
	}
	subject, text := writeAsk(w.o.Issuer, open)
	if err := w.o.Mailer.send(ctx, address, list[0].ID, subject, text, w.o.Now()); err != nil {
		return nil, fmt.Errorf("ask for consent: %w", err)
	}
	return list, nil
}

// writeAsk keeps names, which clients choose, on lines of their own.
func writeAsk(issuer string, open []audit.Ask) (subject, text string) {
	var b strings.Builder
	b.WriteString("An app asks for your consent at " + issuer + ".\n\n")
	for _, a := range open {
		b.WriteString("App: " + oneLine(a.App) + "\nOpen: " + a.URL + "\nUntil: " + a.Until.UTC().Format(time.RFC1123) + "\n\n")
	}
	b.WriteString("The page shows who asks and for what. Allow it only if you have just started this yourself, and only\n" +
		"if the page and the other device show the same text. If you have not, choose Deny there, or do nothing.\n\n" +
		"Nobody who works for this service will ask you to open this link or to read it to them.\n")
	return "Your consent is asked for", b.String()
}
