# Reference values of interrupted time series and of stepped wedges.
# Run by hand: Rscript tests/oracle/make_series.R
# R 4.2.2, nlme 3.1-162, lme4 1.1-31, lmerTest 3.1-3, clubSandwich 0.5.8; Newey-West and Kenward-Roger by hand, base R.
suppressPackageStartupMessages({library(nlme); library(lmerTest); library(clubSandwich)})
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", paste0("series_", name, ".csv")), row.names = FALSE)

# 1. Weeks: deterministic noise with memory, two holidays (absent), one taught week not measured, a comparison, counts.
n <- 44; k <- 0:(n - 1); u <- ((k * 37 + 11) %% 29) / 29 - .5; e <- u; for (i in 2:n) e[i] <- .45 * e[i - 1] + u[i]
week <- k + ifelse(k >= 16, 3, 0) + ifelse(k >= 34, 2, 0); post <- as.integer(k >= 22)
s <- data.frame(week = week, term = ifelse(k < 16, "autumn", ifelse(k < 34, "spring", "autumn")),
  outcome = 12 + .04 * k - 1.1 * post - .05 * post * (k - 22) + .3 * (k >= 16 & k < 34) + e,
  other = 11 + .03 * k + ((k * 17) %% 13) / 13, pupils = 300 + (k * 53) %% 90,
  events = 40 + (k * 31) %% 17 - 9 * post, at_risk = 900 + (k * 7) %% 50)
s$outcome[10] <- NA; out(s, "rows")
s$place <- k; s$post <- post; s$since <- post * (k - 22); d <- s[!is.na(s$outcome), ]

nw <- function(m, L) { # Bartlett weights, n / (n - p), weighted scores
  X <- model.matrix(m); w <- if (is.null(weights(m))) rep(1, nrow(X)) else weights(m)
  h <- X * (w * residuals(m, type = "response")); S <- crossprod(h)
  for (l in seq_len(L)) { G <- crossprod(h[-seq_len(l), ], h[seq_len(nrow(h) - l), ]); S <- S + (1 - l / (L + 1)) * (G + t(G)) }
  B <- solve(crossprod(X * sqrt(w))); nrow(X) / (nrow(X) - ncol(X)) * B %*% S %*% B }
L <- floor(4 * (nrow(d) / 100)^(2 / 9)); rows <- NULL
C <- function(p) { M <- matrix(0, 4, p); M[1, 3] <- 1; M[2, 4] <- 1; M[3, 3:4] <- c(1, 8); M[4, 3:4] <- c(1, mean(d$since[d$post == 1])); M }
terms <- c("level change", "slope change", "effect after 8 weeks", "average effect")
add <- function(case, b, V, df) { M <- C(length(b)); rows <<- rbind(rows, data.frame(case = case, term = terms,
  estimate = drop(M %*% b), std_error = sqrt(diag(M %*% V %*% t(M))), df = df)) }
# Kenward-Roger of first order (curvature of V left out: Kackar & Harville 1984), derivatives written out, for V = variance * D R(rho) D, D = weights^(-1/2).
kr <- function(X, place, w, rho, v) {
  d <- abs(outer(place, place, "-")); D <- outer(1 / sqrt(w), 1 / sqrt(w)); R <- rho^d * D
  R1 <- ifelse(d == 0, 0, d * rho^(d - 1)) * D
  V <- list(R, v * R1); W <- solve(v * R); Phi <- solve(t(X) %*% W %*% X)
  PM <- W - W %*% X %*% Phi %*% t(X) %*% W; I <- matrix(0, 2, 2); A <- 0 * Phi
  for (i in 1:2) for (j in 1:2) I[i, j] <- .5 * sum(diag(PM %*% V[[i]] %*% PM %*% V[[j]]))
  Q <- solve(I); P <- lapply(V, function(z) -t(X) %*% W %*% z %*% W %*% X)
  for (i in 1:2) for (j in 1:2) A <- A + Q[i, j] * (t(X) %*% W %*% V[[i]] %*% W %*% V[[j]] %*% W %*% X - P[[i]] %*% Phi %*% P[[j]])
  G <- lapply(P, function(z) -Phi %*% z %*% Phi)
  list(V = Phi + 2 * Phi %*% A %*% Phi, df = function(l) { g <- sapply(G, function(z) t(l) %*% z %*% l); drop(2 * (t(l) %*% Phi %*% l)^2 / (t(g) %*% Q %*% g)) }) }
ar <- function(case, f, w = NULL) {
  d$iw <- if (is.null(w)) 1 else 1 / w
  g <- gls(f, d, correlation = corAR1(.1, form = ~place), weights = if (is.null(w)) NULL else varFixed(~iw), method = "REML",
           control = glsControl(tolerance = 1e-10, msTol = 1e-12, opt = "optim"))
  rho <- coef(g$modelStruct$corStruct, unconstrained = FALSE)[[1]]; X <- model.matrix(f, d); M <- C(ncol(X))
  rows <<- rbind(rows, data.frame(case = paste0(case, ", rho"), term = "rho", estimate = rho, std_error = NA, df = NA))
  add(paste0(case, ", plain"), coef(g), vcov(g), NA)
  a <- kr(X, d$place, if (is.null(w)) rep(1, nrow(d)) else w, rho, g$sigma^2); add(case, coef(g), a$V, pmin(apply(M, 1, a$df), nrow(d) - ncol(X)))
}
f <- outcome ~ place + post + since; fs <- outcome ~ place + post + since + term; fc <- outcome - other ~ place + post + since
m <- lm(f, d); add("newey-west", coef(m), nw(m, L), m$df); add("independent", coef(m), vcov(m), m$df); ar("ar1", f)
m <- lm(fs, d); add("season, newey-west", coef(m), nw(m, L), m$df); ar("season, ar1", fs)
m <- lm(f, d, weights = pupils); add("weighted, newey-west", coef(m), nw(m, L), m$df); ar("weighted, ar1", f, d$pupils / mean(d$pupils))
m <- lm(fc, d); add("controlled, newey-west", coef(m), nw(m, L), m$df); ar("controlled, ar1", fc)
# The controlled series is the regression of both series with every interaction.
both <- rbind(data.frame(d, y = d$outcome, z = 1), data.frame(d, y = d$other, z = 0))
m2 <- lm(y ~ z * (place + post + since), both); b <- coef(m2); b <- c(b["z"], b["z:place"], b["z:post"], b["z:since"]); M <- C(4)
rows <- rbind(rows, data.frame(case = "controlled, interactions", term = terms, estimate = drop(M %*% b), std_error = NA, df = NA))
q <- glm(events ~ place + post + since, quasipoisson, s, offset = log(at_risk), control = glm.control(1e-14, 100))
d <- s; add("rates, independent", coef(q), vcov(q), q$df.residual)
# Penalised quasi-likelihood: gls of the working response, variance inverse to the expected count, until it stands.
eta <- predict(q); off <- log(s$at_risk); z <- s
for (step in 1:60) { mu <- exp(eta); z$wz <- eta - off + (z$events - mu) / mu; z$iw <- 1 / mu
  g <- gls(wz ~ place + post + since, z, correlation = corAR1(.1, form = ~place), weights = varFixed(~iw), method = "REML",
           control = glsControl(tolerance = 1e-10, msTol = 1e-12, opt = "optim")); eta <- off + fitted(g) }
add("rates, ar1, plain", coef(g), vcov(g), NA)
rows <- rbind(rows, data.frame(case = "rates, ar1, rho", term = "rho", estimate = coef(g$modelStruct$corStruct, unconstrained = FALSE)[[1]], std_error = NA, df = NA))
d <- s[!is.na(s$outcome), ]; m <- lm(f, d); r <- residuals(m); nn <- length(r)
lb <- Box.test(r, lag = 8, type = "Ljung-Box")$p.value
rows <- rbind(rows, data.frame(case = "residuals", term = c("durbin-watson", "ljung-box"), estimate = c(sum(diff(r)^2) / sum(r^2), lb), std_error = NA, df = NA))
out(rows, "values")

# 2. A stepped wedge: 12 schools, 4 steps, 5 periods, unequal numbers of pupils, one school not measured in one period.
g <- expand.grid(pupil = 1:9, period = 1:5, school = 1:12); g <- g[g$pupil <= 4 + (g$school * 5 + g$period) %% 6, ]
g <- g[!(g$school == 7 & g$period == 3), ]; i <- seq_len(nrow(g)); start <- 2 + (g$school - 1) %% 4; g$treated <- as.integer(g$period >= start)
hash <- function(a, m) ((a * 7919 + 104729) %% m) / m - .5
g$y <- 10 + .2 * g$period + .5 * g$treated + 1.6 * hash(g$school * 13, 17) + .9 * hash(g$school * 31 + g$period * 57, 23) + 3 * hash(i, 101)
out(g[, c("school", "period", "pupil", "treated", "y")], "wedge_rows")
g$P <- factor(g$period); g$S <- factor(g$school); e <- ifelse(g$treated == 1, g$period - start + 1, 0); J <- max(e)
for (j in 1:J) g[[paste0("e", j)]] <- as.integer(e == j)
ctl <- lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12)); w <- NULL
one <- function(term, x) w <<- rbind(w, data.frame(term = term, estimate = x[[1]], std_error = x[[2]], df = x[[3]], p_value = x[[4]]))
tests <- function(fit, l) { z <- contest1D(fit, l); c(z$Estimate, z[["Std. Error"]], z$df, z[["Pr(>|t|)"]]) }
a <- lmer(y ~ P + treated + (1 | S) + (1 | S:P), g, control = ctl); one("constant effect", tests(a, c(0, 0, 0, 0, 0, 1)))
b <- lmer(y ~ P + e1 + e2 + e3 + e4 + (1 | S) + (1 | S:P), g, control = ctl); one("average over exposure", tests(b, c(0, 0, 0, 0, 0, rep(.25, 4))))
for (j in 1:4) one(paste("effect in period", j, "under the programme"), tests(b, as.numeric(seq_len(9) == 5 + j)))
D <- cbind(matrix(0, 3, 5), cbind(diag(3), -1)); z <- contestMD(b, D); one("constancy", c(z[["F value"]], NA, z$DenDF, z[["Pr(>F)"]]))
v <- as.data.frame(VarCorr(b)); for (j in 1:3) one(paste("variance", v$grp[j]), c(v$vcov[j], NA, NA, NA))
o <- lm(y ~ P + treated + S, g); ct <- coef_test(o, vcovCR(o, g$S, "CR2"), test = "Satterthwaite", coefs = "treated")
one("constant effect, CR2", c(ct$beta, ct$SE, ct$df_Satt, ct$p_Satt))
for (j in 1:3) g[[paste0("d", j)]] <- g[[paste0("e", j)]] - g$e4
o <- lm(y ~ P + treated + d1 + d2 + d3 + S, g); ct <- coef_test(o, vcovCR(o, g$S, "CR2"), test = "Satterthwaite", coefs = "treated")
one("average over exposure, CR2", c(ct$beta, ct$SE, ct$df_Satt, ct$p_Satt))
h <- aggregate(cbind(y, treated) ~ S + P, g, mean); c1 <- lm(y ~ P + treated, h); one("within periods, permutation", c(coef(c1)["treated"], NA, NA, NA))
n0 <- lmer(y ~ P + (1 | S), h, control = ctl); v <- as.data.frame(VarCorr(n0))$vcov
V <- v[1] * outer(h$S, h$S, "==") + diag(v[2], nrow(h)); X <- model.matrix(c1); K <- solve(V)
one("constant effect, permutation", c(solve(t(X) %*% K %*% X, t(X) %*% K %*% h$y)["treated", ], NA, NA, NA))
# Pupils who recur: means of cells, and pupils as random intercepts.
g$U <- interaction(g$S, g$pupil); pu <- lmer(y ~ P + treated + (1 | S) + (1 | U), g, control = ctl); one("recurring: constant effect, pupil intercept", tests(pu, c(0, 0, 0, 0, 0, 1)))
me <- lmer(y ~ P + treated + (1 | S), h, control = ctl); one("recurring: constant effect", tests(me, c(0, 0, 0, 0, 0, 1)))
out(w, "wedge_values")
