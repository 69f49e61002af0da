package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
)

// places reads people.places_file; nil where there is none.
func (c *config) places() (*account.Places, error) {
	if c.People.PlacesFile == "" {
		return nil, nil //nolint:nilnil // no table knows no place
	}
	f, err := os.Open(c.file(c.People.PlacesFile))
	if err != nil {
		return nil, fmt.Errorf("people.places_file: %w", err)
	}
	p, err := account.ReadPlaces(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("people.places_file: %w", err)
	}
	return p, nil
}

// told says what the list of events calls what the authorization server tells of.
var told = map[oauth.Told]account.EventKind{
	oauth.ToldConnected: account.AppConnected,
	oauth.ToldReused:    account.RefreshReused,
	oauth.ToldEnded:     account.EndedForYou,
	oauth.ToldLeaked:    account.LeakFound,
}

// tell tells a person what has happened to what they gave an app.
func (a *assembly) tell(ctx context.Context, userID string, what oauth.Told, clientID string) {
	app := ""
	if clientID != "" && what != oauth.ToldEnded {
		app = a.oauth.AppName(ctx, clientID)
	}
	a.accounts.Happened(ctx, userID, told[what], nil, app)
}
