package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kardianos/service"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/internal/reason"
)

// stopTime is how long the agent may take to end before its manager is told
// that it has.
const stopTime = 10 * time.Second

// managed lets kardianos/service start and stop the agent as each system's
// service manager wants it. The packages own the service's definition.
type managed struct {
	work   func(context.Context) error
	cancel context.CancelFunc
	ended  chan struct{}
}

// underManager runs work until the service manager stops it.
func underManager(work func(context.Context) error) error {
	s, err := service.New(&managed{work: work}, &service.Config{Name: "menshen-agent"})
	if err != nil {
		return fmt.Errorf("the service manager: %w", err)
	}
	return s.Run()
}

// Start implements service.Interface.
func (m *managed) Start(service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.ended = cancel, make(chan struct{})
	go func() {
		defer close(m.ended)
		if err := m.work(ctx); err != nil {
			// The manager sees the exit code and starts the agent again, or
			// does not on a wrong configuration.
			complain(os.Stderr, reason.English, err)
			os.Exit(agent.ExitCode(err))
		}
	}()
	return nil
}

// Stop implements service.Interface.
func (m *managed) Stop(service.Service) error {
	m.cancel()
	select {
	case <-m.ended:
	case <-time.After(stopTime):
	}
	return nil
}
