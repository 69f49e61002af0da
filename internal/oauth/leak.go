package oauth

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// ReportScope is the scope of a client that may report leaks. It is the
// issuer's own: no token has it, and no person can grant it.
const ReportScope = "leaks.report"

// Operator is the reporter of what an operator reports.
const Operator = "operator"

// LeakFinding is what became of one credential of ours that was found. It holds
// nothing of the credential.
type LeakFinding struct {
	audit.Leak
	Alive bool // it was, until now; not so: it had ended before, or nothing can end it
	Lost  int  // notices that found the outbox full
}

// LeakReporter authenticates a partner who reports leaks: a service client with
// ReportScope. It looks at the Authorization header alone, so that the body need
// not be read before.
func (s *Service) LeakReporter(ctx context.Context, r Request) (clientID string, err error) {
	r.Params = nil
	client, err := s.authenticateConfidential(ctx, r)
	if err != nil {
		return "", err
	}
	if client.Type != ServiceClient || !contains(client.Scope, ReportScope) {
		return "", fail(UnauthorizedClient, "this client may not report leaks")
	}
	return client.ID, nil
}

// ReportLeaks reads a partner's report and ends whatever in it is ours. received
// is the number of strings, and all that the partner may learn; atLeast is how
// long an answer to such a report takes, whatever was found. When it returns,
// what it has ended is durable and refused by this node. The work goes on when
// ctx ends.
func (s *Service) ReportLeaks(ctx context.Context, reporter string, body []byte) (received int, atLeast time.Duration, err error) {
	found, perr := readLeakReport(body)
	if perr != nil {
		return 0, 0, perr
	}
	list, count, err := suspects(ctx, found, maxCredentials, s.clients.isStatic)
	if err != nil {
		return 0, 0, unavailable("read a report", err)
	}
	if count > maxCredentials {
		return 0, 0, badReport("more than 2000 credentials, or words as long as one, in one report: send them in parts")
	}
	note(ctx, audit.Event{Name: audit.LeakReported, Client: reporter})
	findings, err := s.judgeAll(context.WithoutCancel(ctx), reporter, list)
	noteLost(ctx, findings)
	if err != nil {
		return 0, 0, err
	}
	return len(found), leakAnswer + leakAnswerEach*time.Duration(max(len(found), count)), nil
}

// noteLost says in the event of the request what the outbox did not take. Each
// leak has its record all the same.
func noteLost(ctx context.Context, findings []LeakFinding) {
	lost := 0
	for i := range findings {
		lost += findings[i].Lost
	}
	if lost > 0 {
		note(ctx, audit.Event{Name: audit.NoticeLost, Reason: "outbox_full"})
		audit.FromContext(ctx).SetCount("notices_lost", lost)
	}
}

// How long the answer to a report takes: enough for what it can make us do.
const (
	leakAnswer     = 500 * time.Millisecond
	leakAnswerEach = 5 * time.Millisecond
)

// Leaked ends whatever is ours in strings that an operator has. Unlike a report
// of a partner it has no limits but memory, and says what it did, in the order
// of the strings. It stops when ctx ends. What it did before an error it returns
// with the error.
func (s *Service) Leaked(ctx context.Context, found []Found) ([]LeakFinding, error) {
	maybe := s.clients.isStatic
	if len(s.clients.hashes) == 0 {
		maybe = nil
	}
	list, _, err := suspects(ctx, found, 0, maybe)
	if err != nil {
		return nil, fmt.Errorf("look for credentials: %w", err)
	}
	return s.judgeAll(ctx, Operator, list)
}

// leakWorkers is how many are judged at a time: a store commits them together.
const leakWorkers = 8

func (s *Service) judgeAll(ctx context.Context, reporter string, list []suspect) ([]LeakFinding, error) {
	results := make([][]LeakFinding, len(list))
	errs := make([]error, leakWorkers)
	var work sync.WaitGroup
	for w := range leakWorkers {
		work.Go(func() {
			for i := w; i < len(list) && errs[w] == nil; i += leakWorkers {
				results[i], errs[w] = s.judge(ctx, reporter, list[i])
			}
		})
	}
	work.Wait()
	var all []LeakFinding
	for _, r := range results {
		all = append(all, r...)
	}
	if err := errors.Join(errs...); err != nil {
		return all, err
	}
	for i := range all {
		if all[i].Alive {
			return all, s.applied(ctx)
		}
	}
	return all, nil
}

// leakJudges says for each kind how it is known and ended. A judge returns
// nothing for what is not ours.
var leakJudges = map[secret.Prefix]func(*Service, context.Context, *leak) ([]LeakFinding, error){
	secret.AccessToken:    (*Service).leakedAccess,
	secret.RefreshToken:   (*Service).leakedRefresh,
	secret.AuthCode:       (*Service).leakedCode,
	secret.PendingSignIn:  (*Service).leakedFlow,
	secret.ClientSecret:   (*Service).leakedSecret,
	secret.SessionCookie:  (*Service).leakedSession,
	secret.MasterKey:      (*Service).leakedMaster,
	secret.Registration:   (*Service).leakedRegistration,
	secret.InitialAccess:  (*Service).leakedRegistration,
	secret.DeviceCode:     (*Service).leakedAsked,
	secret.AuthRequestID:  (*Service).leakedAsked,
	secret.APIKey:         (*Service).leakedAPIKey,
	secret.BrowserSession: (*Service).leakedBrowserSession,
	jwtKind:               (*Service).leakedJWT,
	foreignKind:           (*Service).leakedSecret,
}

// leak is a suspect while it is judged.
type leak struct {
	suspect
	audit.Leak
	now time.Time
}

func (s *Service) judge(ctx context.Context, reporter string, x suspect) ([]LeakFinding, error) {
	now := s.now()
	hash := x.value.Hash()
	l := &leak{suspect: x, now: now, Leak: audit.Leak{
		At: now.UTC().Truncate(time.Second), Event: audit.LeakFound, HashPrefix: hex.EncodeToString(hash[:4]), Reporter: reporter,
		URL: cleanURL(x.found.URL, x.found.Secret), Source: cleanSource(x.found.Source),
	}}
	findings, err := leakJudges[x.kind](s, ctx, l)
	if err != nil {
		return nil, unavailable("end a leaked credential", err)
	}
	if slices.ContainsFunc(findings, func(f LeakFinding) bool { return f.Alive }) && l.Kind != kindInner {
		s.tellPerson(ctx, l.Subject, ToldLeaked, l.ClientID)
	}
	return findings, nil
}

// is sets what the leak is, what is done about it, and whom it concerns.
func (l *leak) is(kind, action, clientID, userID string) {
	l.Kind, l.Action, l.ClientID, l.Subject = kind, action, clientID, userID
}

// notices tells the record, the operator and the webhook, and those whom it
// concerns. Each has an ID of its own; the leak has one that all share.
func (l *leak) notices() ([]Notice, error) {
	l.ID = secret.NewID(l.now).String()
	body, err := json.Marshal(l.Leak)
	if err != nil {
		return nil, fmt.Errorf("write notice: %w", err)
	}
	to := []string{ToRecord, ToOperator, ToWebhook}
	if l.ClientID != "" && l.Kind != kindInner && l.Kind != kindAPIKey {
		to = append(to, ToClient+l.ClientID)
	}
	if l.Subject != "" && l.Kind != kindInner {
		to = append(to, ToUser+l.Subject)
	}
	list := make([]Notice, 0, len(to))
	for _, t := range to {
		list = append(list, Notice{ID: secret.NewID(l.now), To: t, Body: body})
	}
	return list, nil
}

// end runs a transition and says what became of it.
func (l *leak) end(transition func(Ending) (Ended, error)) ([]LeakFinding, error) {
	notices, err := l.notices()
	if err != nil {
		return nil, err
	}
	done, err := transition(Ending{Reason: token.ReasonLeaked, Now: l.now, Keep: token.KeepRevocation(l.now), Notices: notices})
	if err != nil {
		return nil, err
	}
	return l.finding(done), nil
}

func (l *leak) finding(done Ended) []LeakFinding {
	if !done.Alive {
		l.Action = audit.ActionNone
	}
	return []LeakFinding{{Leak: l.Leak, Alive: done.Alive, Lost: done.Lost}}
}

// CompromiseEnding is what an operator's compromise of a client's secrets says
// to the feed and to people.
func CompromiseEnding(clientID string, killGrants bool, now time.Time) (Ending, error) {
	l := &leak{now: now, Leak: audit.Leak{At: now.UTC().Truncate(time.Second), Event: audit.SecretCompromised, Reporter: Operator}}
	action := audit.ActionSecretsEnded
	if killGrants {
		action = audit.ActionAllEnded
	}
	l.is(kindSecret, action, clientID, "")
	notices, err := l.notices()
	return Ending{Reason: token.ReasonLeaked, Now: now, Keep: token.KeepRevocation(now), Notices: notices}, err
}
