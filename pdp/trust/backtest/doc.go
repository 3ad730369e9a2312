// Package backtest replays the past through the inference plugins and the
// fusion, and says how well they tell a person from somebody else: what trust
// inference needs to be explained and defended by figures (requirements 29, 33).
//
// Events come in the order of time and each is judged before it is taught
// (Replay). Judge then splits the time: constants are fitted on the first 60 %
// and everything is judged on the rest, each kind of attacker with constants
// that were fitted without it. Reported are
//
//   - the curve of attacks asked to authenticate again over genuine sign-ins
//     asked again, with bootstrap intervals over people;
//   - the calibration error;
//   - how often one person has been asked again after so many sign-ins, at the
//     thresholds that catch .98, .995 and .999 of the attacks (Wiefling,
//     Jørgensen, Thunem, Lo Iacono, ACM TOPS 2022);
//   - what becomes of attacks and of people while a cluster of plugins is down;
//   - what becomes of attacks after the attacker was taken for the person k times.
//
// Sources of events: the package generator below; recorded observations
// (ReadObservations); the public RBA data set (ReadRBA).
//
// Guarantees, each with a test: the same events, plugins and constants give the
// same report, byte for byte; no attack teaches unless it is marked as poison;
// a verdict that never came counts as missing; what is fitted keeps to the
// fusion's bounds (weights ≥ 0, scales > 0).
//
// Limits: alarms that stand over from an earlier session, decay, and the slow
// rise of a score are not part of it, for each session is judged by itself, at
// its sign-in and at its first activity; gates are the same for all.
package backtest
