package demo

import (
	"context"
	_ "embed" // of the documents
	"fmt"
)

// Documents of the event flow: a brand's flavour, a progress promotion, and the words of its message.
var (
	//go:embed flow-settings.yaml
	flowSettings []byte
	//go:embed flow-promotion.yaml
	flowPromotion []byte
	//go:embed flow-message.yaml
	flowMessage []byte
)

// putFlow puts the flow's documents at the centre, as ops does. What is there already stays as it is.
func (r *run) putFlow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, putWithin)
	defer cancel()
	for _, d := range []struct {
		path string
		text []byte
	}{{"settings", flowSettings}, {"promotions", flowPromotion}, {"templates/REWARD_AWARDED/en", flowMessage}} {
		if err := r.f.PutFlow(ctx, d.path, d.text); err != nil {
			return err
		}
	}
	fmt.Fprintln(r.out, "with every third receipt a shopper earns a coffee; their next till shows it")
	return nil
}
