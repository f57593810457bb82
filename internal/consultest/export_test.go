package consultest

import "os"

// Log is what the agent has said so far.
func (a *Agent) Log() (string, error) {
	log, err := os.ReadFile(a.logFile())
	return string(log), err
}
