# Reference values of regression discontinuity. Run by hand: Rscript tests/oracle/make_discontinuity.R  (base R 4.2.2)
# Jumps by lm with kernel weights, the largest bias by integrate() of the kernel of the second derivative and again by
# summing the worst second derivative on a fine grid, critical values by uniroot, the density test by enumeration.
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)

# 1. A whole-number score of 0-27, cut-off 10, uptake 15 % and 70 %, 24 schools.
set.seed(20261126)
n <- 900
school <- sample(1:24, n, replace = TRUE)
level <- rnorm(24, 0, .5)[school]
score <- rbinom(n, 27, plogis(-.9 + .35 * rnorm(n) + .3 * level))
served <- rbinom(n, 1, ifelse(score >= 10, .70, .15))
age <- round(13 + 2 * rnorm(n), 1)
y <- round(.5 * score - .01 * (score - 10)^2 - 2 * served + .3 * age + level + 3 * rnorm(n), 2)
rows <- data.frame(school, score, served, age, y)
out(rows, "discontinuity_rows.csv")

x <- score - 10; above <- as.numeric(x >= 0)
cv <- function(b, df, level = .95) uniroot(function(c) pt(c - b, df) - pt(-c - b, df) - level, c(0, b + 20), tol = 1e-13)$root
one <- function(h, kernel) {
  k <- if (kernel == "triangular") pmax(1 - abs(x) / h, 0) else as.numeric(abs(x) <= h)
  keep <- k > 0
  fit <- function(v) coef(lm(v ~ above * x, weights = k, subset = keep))["above"]
  # Weights of the estimator, from the fits to unit vectors of each value of the score.
  w <- numeric(n)
  for (v in unique(x[keep])) { at <- which(x == v); w[at] <- fit(as.numeric(x == v)) / length(at) }
  g <- function(t, side) sapply(t, function(s) if (side > 0) sum(w[x >= 0] * pmax(x[x >= 0] - s, 0)) else sum(w[x < 0] * pmax(-x[x < 0] - s, 0)))
  area <- function(side) {   # between whole numbers g is straight: integrate each piece
    sum(sapply(0:(ceiling(h)), function(a) integrate(function(t) abs(g(t, side)), a, a + 1, rel.tol = 1e-10, subdivisions = 2000)$value))
  }
  bias <- area(1) + area(-1)
  # Again: f'' = sign(g) on a grid of mid-points, f by double integration, bias = sum w f.
  d <- 1 / 400; mid <- seq(d / 2, ceiling(h) + 1, d)
  f <- function(side) { s <- sign(g(mid, side)); function(z) sapply(z, function(u) sum(s * pmax(u - mid, 0)) * d) }
  up <- f(1); down <- f(-1)
  again <- sum(w[x >= 0] * up(x[x >= 0])) + sum(w[x < 0] * down(-x[x < 0]))
  stopifnot(abs(again / bias - 1) < 1e-3)
  res <- function(v) v - ave(v, x)
  e <- cbind(res(y), res(served)) * w
  s <- rowsum(e, school); G <- sum(rowsum(w^2, school) > 0)
  vc <- crossprod(s) * G / (G - 1)
  nx <- ave(x, x, FUN = length)
  vi <- crossprod(e * sqrt(nx / (nx - 1)))
  carried <- rowsum(w^2, school); df <- sum(carried)^2 / sum(carried^2) - 1
  jy <- fit(y); jd <- fit(served); r <- jy / jd
  My <- .05; Md <- .01
  half <- function(t, V, df) { a <- c(1, -t); se <- sqrt(drop(a %*% V %*% a)); cv((My + abs(t) * Md) * bias / se, df) * se }
  slack <- function(t) abs(jy - t * jd) - half(t, vc, df)
  low <- uniroot(slack, c(r - 20, r), tol = 1e-12)$root; high <- uniroot(slack, c(r, r + 20), tol = 1e-12)$root
  adj <- coef(lm(y ~ above * x + age, weights = k, subset = keep))["above"]
  data.frame(h, kernel, jump = jy, uptake = jd, unit_bias = bias, se_cluster = sqrt(vc[1, 1]), se_row = sqrt(vi[1, 1]),
    se_uptake = sqrt(vc[2, 2]), df, half = half(0, vc, df), half_row = half(0, vi, Inf), ratio = r,
    delta_se = sqrt(drop(c(1, -r) %*% vc %*% c(1, -r))) / abs(jd), low, high, jump_adjusted = adj)
}
out(do.call(rbind, list(one(3.5, "triangular"), one(6, "triangular"), one(12, "triangular"), one(3, "uniform"), one(5, "uniform"))),
    "discontinuity_values.csv")

# 2. Curvature of a quartic a side: over the whole support, and over the scores of the nearest 95 %.
bend <- function(side, nearest) {
  z <- x[above == side]; fit <- lm(y[above == side] ~ z + I(z^2) + I(z^3) + I(z^4)); b <- coef(fit)
  reach <- sort(abs(z))[ceiling(nearest * length(z))]
  t <- seq(min(abs(z)), reach, length.out = 200001) * (if (side == 1) 1 else -1)
  max(abs(2 * b[3] + 6 * t * b[4] + 12 * t^2 * b[5]))
}
out(data.frame(nearest = c(1, .95), curvature = c(max(bend(1, 1), bend(0, 1)), max(bend(1, .95), bend(0, .95)))), "discontinuity_curvature.csv")

# 3. Three bars, by enumeration of every count of the middle one.
p3 <- function(at, n, k) {
  lo <- (1 - k) / (3 - k); hi <- (1 + k) / (3 + k); j <- 0:n
  tail <- pmin(pbinom(j, n, lo), pbinom(j - 1, n, hi, lower.tail = FALSE))
  ext <- tail <= tail[at + 1] * (1 + 1e-9)
  min(1, max(sum(dbinom(j[ext], n, lo)), sum(dbinom(j[ext], n, hi))))
}
g <- expand.grid(k = c(0, .01, .05, .2), n = c(9, 60, 301, 4000), share = c(.22, .30, 1 / 3, .36, .42, .70))
g$at <- round(g$n * g$share)
g$p <- mapply(p3, g$at, g$n, g$k)
out(g[, c("at", "n", "k", "p")], "discontinuity_density.csv")
# By schools: the share's error by linearisation, Student's t.
w3 <- t(sapply(split(x, school), function(z) c(sum(z == -1), sum(z == 0), sum(z == 1))))
tot <- rowSums(w3); p <- sum(w3[, 2]) / sum(tot); u <- (w3[, 2] - p * tot) / sum(tot); G <- sum(tot > 0)
se <- sqrt(G / (G - 1) * sum(u^2))
k <- c(0, .02, .05); lo <- (1 - k) / (3 - k); hi <- (1 + k) / (3 + k); d <- pmax(lo - p, p - hi)
out(data.frame(k, share = p, p = ifelse(d <= 0, 1, pmin(1, pt(-d / se, G - 1) + pt(-(d + hi - lo) / se, G - 1)))), "discontinuity_density_schools.csv")
