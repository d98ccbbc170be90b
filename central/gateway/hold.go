package gateway

import (
	"context"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// holds answers questions about points and coupons set aside. The books do not hold yet: every question
// is well understood and answered with HoldUnavailable, so that a till sells on without points at once
// instead of waiting for nobody.
func (g *POS) holds() *service.Service {
	return service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceGateway, Endpoint: "hold", Subject: g.cfg.Net.AnyPOSHold(),
		Description: "holds for stores of brand " + g.cfg.Net.Brand.String(), Each: lookupsAtOnce, Answer: g.hold, Log: g.cfg.Log,
	})
}

func (g *POS) hold(_ context.Context, q service.Question) (a service.Answer, err error) {
	if _, err := record.ReadHoldQuestion(q.Data); err != nil {
		return a, &service.Refusal{Err: err}
	}
	said := record.HoldAnswer{State: record.HoldUnavailable}
	return service.Answer{Data: said.Append(nil)}, nil
}
