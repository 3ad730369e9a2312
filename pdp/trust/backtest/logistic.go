package backtest

import "math"

// logistic minimises Σ w·loss(y, σ(Σ b_k·x_k)) + ridge·|b − start|² with b inside
// [low, high]: coordinate descent with Newton's step in each coordinate. The
// function is convex, so it ends at its minimum whatever the start.
func logistic(x [][]float64, y, w, start, low, high []float64) []float64 {
	b := append([]float64(nil), start...)
	score := make([]float64, len(y))
	for k := range x {
		for n := range score {
			score[n] += b[k] * x[k][n]
		}
	}
	for range newtons {
		moved := 0.0
		for k := range x {
			gradient, curve := 2*ridge*(b[k]-start[k]), 2*ridge
			for n, v := range x[k] {
				p := sigmoid(score[n])
				gradient += w[n] * (p - y[n]) * v
				curve += w[n] * max(p*(1-p), 0.01) * v * v
			}
			step := max(low[k], min(b[k]-gradient/curve, high[k])) - b[k]
			if step == 0 {
				continue
			}
			b[k] += step
			moved = max(moved, math.Abs(step))
			for n, v := range x[k] {
				score[n] += step * v
			}
		}
		if moved < 1e-6 {
			break
		}
	}
	return b
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
