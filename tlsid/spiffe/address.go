package spiffe

import (
	"errors"
	"fmt"
	"net/url"
	"path"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// address is configured or, if that is empty, what the environment says; checked.
//
// "If not explicitly configured, conforming clients MUST fall back to the
// environment variable."
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md#4-locating-the-endpoint
func address(configured string) (string, error) {
	if configured != "" {
		return configured, check("Config.Addr", configured)
	}
	addr, _ := workloadapi.GetDefaultAddress()
	if addr == "" {
		return "", errors.New("no address of the Workload API: set Config.Addr or " + workloadapi.SocketEnv)
	}
	return addr, check(workloadapi.SocketEnv, addr)
}

func check(name, addr string) error {
	err := workloadapi.ValidateAddress(addr)
	if err == nil {
		err = checkPath(addr)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", name, addr, err)
	}
	return nil
}

// checkPath refuses what go-spiffe lets pass and gRPC then cannot dial.
//
// "If the scheme is set to unix, then the authority component MUST NOT be set,
// and the path component MUST be set to the absolute path."
func checkPath(addr string) error {
	u, err := url.Parse(addr)
	if err != nil {
		return err
	}
	if u.Scheme == "unix" && (u.Host != "" || !path.IsAbs(u.Path)) {
		return errors.New("a unix socket is an absolute path after three slashes, as in unix:///run/agent.sock")
	}
	return nil
}
