package helper

// eventLog answers with the firmware's log; a machine without one has none.
func (s *server) eventLog() answer {
	s.reading.Lock()
	defer s.reading.Unlock()
	log, err := s.config.EventLog()
	if err != nil {
		s.logger.Warn("reading the event log failed", "error", err)
		return answer{Problem: err.Error()}
	}
	return answer{EventLog: log}
}

// ima answers with the next piece of the run-time measurement list.
func (s *server) ima(from int) answer {
	if from < 0 {
		return answer{Problem: "there is no such entry"}
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	piece, err := s.config.IMA(from)
	if err != nil {
		s.logger.Warn("reading the run-time measurement list failed", "error", err)
		return answer{Problem: err.Error()}
	}
	return answer{IMA: piece}
}
