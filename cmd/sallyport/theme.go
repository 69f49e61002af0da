package main

import (
	"fmt"
	"io"
	"os"

	"sallyport/internal/theme"
)

// theme reads and checks how the pages look; nil: as we made them.
func (c *config) theme() (*theme.Theme, error) {
	t := c.People.Theme
	if t == (themeConfig{}) {
		return nil, nil //nolint:nilnil // none is no error
	}
	v := theme.Values{
		Name: t.Name, Accent: theme.Colour(t.Accent), AccentDark: theme.Colour(t.AccentDark), Paper: theme.Colour(t.Paper), PaperDark: theme.Colour(t.PaperDark),
	}
	if t.LogoFile != "" {
		f, err := os.Open(c.file(t.LogoFile))
		if err != nil {
			return nil, fmt.Errorf("read logo: %w", err)
		}
		defer f.Close()
		if v.Logo, err = io.ReadAll(io.LimitReader(f, theme.MaxLogo+1)); err != nil {
			return nil, fmt.Errorf("read logo: %w", err)
		}
		if len(v.Logo) == 0 {
			return nil, fmt.Errorf("read logo: %s is empty", t.LogoFile)
		}
	}
	return theme.New(v)
}

func checkTheme(j *judge) {
	if _, err := j.c.theme(); err != nil {
		j.failf("people.theme", "%v", err)
	}
}
