package browser

import "context"

// keys are those that do something other than write their name.
var keys = map[string]struct {
	code int
	text string
}{
	"Tab": {9, ""}, "Enter": {13, "\r"}, "Escape": {27, ""}, " ": {32, " "},
	"End": {35, ""}, "Home": {36, ""},
	"ArrowLeft": {37, ""}, "ArrowUp": {38, ""}, "ArrowRight": {39, ""}, "ArrowDown": {40, ""},
}

// Press presses and releases keys, by their names in the DOM: Tab, Enter, ArrowDown.
func (p *Page) Press(ctx context.Context, names ...string) error {
	for _, name := range names {
		k := keys[name]
		key := object{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": k.code, "text": k.text}
		if err := p.call(ctx, "Input.dispatchKeyEvent", key, nil); err != nil {
			return err
		}
		key["type"] = "keyUp"
		if err := p.call(ctx, "Input.dispatchKeyEvent", key, nil); err != nil {
			return err
		}
	}
	return nil
}

// Type writes where the focus is.
func (p *Page) Type(ctx context.Context, text string) error {
	return p.call(ctx, "Input.insertText", object{"text": text}, nil)
}
