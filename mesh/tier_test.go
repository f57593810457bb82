package mesh

import (
	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

var _ h1.Tier = (*deadline.Limit)(nil) // else each request pays for what Tie spares it
