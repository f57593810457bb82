package discovery

import (
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A ttl says how long an answer lasts; the zero ttl does not say.
type ttl struct {
	known bool
	time.Duration
}

func (t ttl) or(d time.Duration) time.Duration {
	if t.known {
		return t.Duration
	}
	return d
}

// and is the ttl of an answer made of two.
func (t ttl) and(o ttl) ttl {
	switch {
	case !t.known:
		return o
	case !o.known:
		return t
	}
	return ttl{true, min(t.Duration, o.Duration)}
}

// answerTTL is the least TTL among the answers of message, with those of the
// CNAMEs on the way. Failures, and what does not answer the question with this
// id, say nothing.
func answerTTL(message []byte, id uint16) (least ttl) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || !h.Response || h.ID != id || h.RCode != dnsmessage.RCodeSuccess || h.Truncated {
		return ttl{}
	}
	if p.SkipAllQuestions() != nil {
		return ttl{}
	}
	for {
		r, err := p.AnswerHeader()
		if err != nil || p.SkipAnswer() != nil {
			return least
		}
		least = least.and(ttl{true, seconds(r.TTL)})
	}
}

// seconds reads a TTL. RFC 2181, section 8: "treat TTL values received with the
// most significant bit set as if the entire value received was zero".
func seconds(t uint32) time.Duration {
	if t > 1<<31-1 {
		return 0
	}
	return time.Duration(t) * time.Second
}
