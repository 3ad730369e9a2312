// Package fusion adds the inference plugins' verdicts up to one score: the
// score-based part of the trust algorithm (NIST SP 800-207 §3.3.1;
// requirements 7, 30, 33).
//
//	e_i = c_i · clip(calibrate_i(llr_i), −b, +a) · 2^(−age/h)
//	E_g = Σ⁺ e_i / (1 + (m_g − 1)·ρ_g) + min(0, min_i e_i)
//	L   = b0 + A_mfa + A_device + min(P_max, Σ w_g·E_g);   score = 100·σ(L)
//
// A log likelihood ratio is the natural unit in which independent evidence
// adds (Good, Probability and the Weighing of Evidence, 1950). Plugins of one
// cluster are not independent: their agreement is divided by 1 + (m−1)·ρ, the
// design effect of correlated samples (Kish, Survey Sampling, 1965).
//
// The package is pure: no clock, network, disk or logger; the same inputs give
// the same bytes, so that an assessment can be replayed. Guarantees, each with
// a property test:
//
//   - the order of plugins, and the order in which verdicts arrive, change
//     nothing;
//   - a plugin that is missing, late or expired never raises the score: it
//     counts as min(0, its last negative, decayed) − κ. No mean is imputed, no
//     weight is renormalised;
//   - abstaining keeps the last negative until contrary evidence, and lowers
//     coverage;
//   - one plugin moves the score no further than its cluster's cap (Cap), all
//     together raise it by no more than P_max;
//   - a lone alarm is not diluted by silent or abstaining neighbours;
//   - what lowers the score acts at once, what raises it only after it has held
//     (Rising).
package fusion
