package account

import "context"

// tell writes the letter of an event to every address of its person.
func (s *Service) tell(ctx context.Context, e UserEvent, v *Visit) error {
	l := Letter{UserID: e.UserID, Kind: string(e.Kind), Params: map[string]string{"device": e.Device, "place": e.Place, "detail": e.Detail}}
	if v != nil {
		l.Locale = v.Locale
	}
	return s.Write(ctx, l)
}
