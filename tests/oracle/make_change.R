# Values that tests/stats/test_change*.py hold mhlib to. Run from the root of the project: Rscript tests/oracle/make_change.R
# R 4.2 with metafor 3.8, mice 3.15, HSAUR3, lme4. Every data set ships in one of these packages.
suppressPackageStartupMessages({library(metafor); library(mice); library(HSAUR3)})
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests", "oracle", paste0("change_", name, ".csv")), row.names = FALSE, na = "")

# ---- meta-analysis: REML, Knapp-Hartung, prediction interval, shrunken estimates -------------------------------------
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
norm <- escalc(measure = "SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999)
smoke <- dat.hackshaw1998
zero <- data.frame(yi = c(.10, .12, .08, .11, .09, .13), vi = c(.02, .03, .025, .04, .015, .05))
sets <- list(bcg = data.frame(yi = c(bcg$yi), vi = c(bcg$vi)), normand = data.frame(yi = c(norm$yi), vi = c(norm$vi)),
             hackshaw = data.frame(yi = c(smoke$yi), vi = c(smoke$vi)), zero = zero)
rows <- values <- blups <- NULL
for (name in names(sets)) {
  d <- sets[[name]]
  rows <- rbind(rows, data.frame(set = name, d))
  for (test in c("knha", "z")) {
    fit <- rma(yi, vi, data = d, method = "REML", test = test, control = list(threshold = 1e-12, maxiter = 10000))
    p <- predict(fit); ci <- confint(fit, control = list(tol = 1e-12))$random
    values <- rbind(values, data.frame(set = name, test = test, estimate = c(fit$beta), se = fit$se, p = fit$pval, low = fit$ci.lb,
      high = fit$ci.ub, pi_low = p$pi.lb, pi_high = p$pi.ub, tau2 = fit$tau2, tau2_low = ci[1, 2], tau2_high = ci[1, 3],
      i2 = fit$I2, h2 = fit$H2, q = fit$QE, q_p = fit$QEp))
    if (test == "knha") { b <- blup(fit); blups <- rbind(blups, data.frame(set = name, pred = b$pred, se = b$se, low = b$pi.lb, high = b$pi.ub)) }
  }
}
out(rows, "meta_rows"); out(values, "meta"); out(blups, "meta_blups")

# ---- Rubin and Barnard-Rubin ------------------------------------------------------------------------------------------
pooled <- NULL
p <- pool.scalar(c(2.1, 2.4, 1.9, 2.6, 2.2), c(.25, .30, .28, .27, .26), n = 150, k = 3)
pooled <- data.frame(case = "scalar", term = "q", dfcom = 147, estimate = p$qbar, ubar = p$ubar, b = p$b, t = p$t, df = p$df, r = p$r, fmi = p$fmi)
each <- data.frame(case = "scalar", term = "q", q = c(2.1, 2.4, 1.9, 2.6, 2.2), u = c(.25, .30, .28, .27, .26))
f <- with(mice(nhanes2, m = 5, seed = 1, printFlag = FALSE), lm(chl ~ age + bmi + hyp))
s <- pool(f)$pooled
pooled <- rbind(pooled, data.frame(case = "nhanes2", term = s$term, dfcom = s$dfcom, estimate = s$estimate, ubar = s$ubar, b = s$b, t = s$t, df = s$df, r = s$riv, fmi = s$fmi))
for (a in f$analyses) { q <- coef(a); each <- rbind(each, data.frame(case = "nhanes2", term = names(q), q = unname(q), u = unname(diag(vcov(a))))) }
out(pooled, "pooled"); out(each, "pooled_each")

# ---- chained equations: long runs, so that only mhlib's own Monte Carlo error counts --------------------------------------
mc <- function(imp, model, case) { s <- pool(with(imp, model()))$pooled
  data.frame(case = case, term = s$term, m = imp$m, estimate = s$estimate, se = sqrt(s$t), b = s$b, fmi = s$fmi) }
long <- NULL
for (how in c("pmm", "norm")) {
  imp <- mice(nhanes, m = 400, method = how, seed = 123, maxit = 10, printFlag = FALSE)
  s <- pool(with(imp, lm(chl ~ age + bmi)))$pooled
  long <- rbind(long, data.frame(case = paste0("nhanes_", how), term = s$term, m = 400, estimate = s$estimate, se = sqrt(s$t), b = s$b, fmi = s$fmi))
}
data(BtheB)
b <- with(BtheB, data.frame(bdi_pre = bdi.pre, bdi_2m = bdi.2m, bdi_3m = bdi.3m, bdi_5m = bdi.5m, bdi_8m = bdi.8m,
  drug = as.numeric(drug == "Yes"), long = as.numeric(length == ">6m"), treatment = as.numeric(treatment == "BtheB")))
out(b, "btheb_rows")
imp <- mice(b, m = 200, method = "norm", seed = 2026, maxit = 10, printFlag = FALSE)
s <- pool(with(imp, lm(bdi_8m ~ bdi_pre + treatment + drug + long)))$pooled
long <- rbind(long, data.frame(case = "btheb_norm", term = s$term, m = 200, estimate = s$estimate, se = sqrt(s$t), b = s$b, fmi = s$fmi))
out(nhanes, "nhanes_rows")
# Two levels: schools in popmis (mice); the missing popularity is drawn from a normal model with a school intercept.
pop <- popmis[, c("school", "popular", "sex", "texp", "teachpop")]
out(pop, "popmis_rows")
pred <- make.predictorMatrix(pop); pred["popular", ] <- c(-2, 0, 1, 1, 1); pred[-2, ] <- 0
imp <- mice(transform(pop, school = as.integer(school)), m = 100, method = c("", "2l.pan", "", "", ""), predictorMatrix = pred,
            maxit = 5, seed = 7, printFlag = FALSE)
fit <- lapply(seq_len(imp$m), function(i) lm(popular ~ sex + texp, complete(imp, i)))
s <- data.frame(t(sapply(fit, coef))); B <- apply(s, 2, var); school <- lapply(seq_len(imp$m), function(i) {
  d <- complete(imp, i); m <- lme4::lmer(popular ~ 1 + (1 | school), d); unlist(as.data.frame(lme4::VarCorr(m))$vcov) })
v <- do.call(rbind, school)
long <- rbind(long, data.frame(case = "popmis_2l", term = c("(Intercept)", "sex", "texp", "between", "within"), m = 100,
  estimate = c(colMeans(s), colMeans(v)), se = NA, b = c(B, apply(v, 2, var)), fmi = NA))
out(long, "imputed")

# ---- Lee bounds, plain R: sort, keep a share, fraction of the last one -----------------------------------------------
keep_low <- function(x, share) { x <- sort(x); m <- share * length(x); w <- pmin(1, pmax(0, m - seq_along(x) + 1)); sum(w * x) / sum(w) }
lee <- function(y, d) {
  q <- tapply(!is.na(y), d, mean); yt <- y[d == 1 & !is.na(y)]; yc <- y[d == 0 & !is.na(y)]
  st <- min(1, q["0"] / q["1"]); sc <- min(1, q["1"] / q["0"])
  low <- keep_low(yt, st) + keep_low(-yc, sc); high <- -keep_low(-yt, st) - keep_low(yc, sc)
  c(low = unname(low), high = unname(high), share = unname(1 - min(st, sc)), observed = min(q))
}
lees <- NULL
for (when in c("bdi_2m", "bdi_3m", "bdi_5m", "bdi_8m")) {
  whole <- lee(b[[when]], b$treatment)
  parts <- sapply(0:1, function(s) lee(b[[when]][b$drug == s], b$treatment[b$drug == s])); n <- table(b$drug)
  weight <- parts["observed", ] * n; weight <- weight / sum(weight)
  lees <- rbind(lees, data.frame(outcome = when, low = whole["low"], high = whole["high"], trimmed = whole["share"],
    strata_low = sum(weight * parts["low", ]), strata_high = sum(weight * parts["high", ])))
}
out(lees, "lee")

# ---- regression to the mean: empirical (least squares in the unserved), by plain lm --------------------------------------
d <- na.omit(b[, c("bdi_pre", "bdi_2m", "treatment")]); d <- d[d$bdi_pre >= 20, ]
u <- d[d$treatment == 0, ]; s <- d[d$treatment == 1, ]
fit <- lm(I(bdi_pre - bdi_2m) ~ bdi_pre, u); x <- c(1, mean(s$bdi_pre)); fall <- s$bdi_pre - s$bdi_2m
left <- fall - predict(fit, s); n <- nrow(d); bread <- solve(crossprod(model.matrix(fit)))
h <- rbind(cbind((left - mean(left)) / nrow(s)), cbind(-(model.matrix(fit) %*% bread %*% x) * resid(fit)))
out(data.frame(n_served = nrow(s), n_unserved = nrow(u), observed = mean(fall), expected = sum(x * coef(fit)), remainder = mean(left),
               se = sqrt(n / (n - 1) * sum((h - mean(h))^2))), "fall")
# Shares under normal scores, no service: P(change reliable), P(under the cut-off), both, given the first score in the top tail.
shares <- NULL
for (rel in c(.6, .7, .8)) for (top in c(.05, .10, .20, .30)) {
  cut <- qnorm(1 - top); least <- qnorm(.975) * sqrt(2 * (1 - rel)); sd2 <- sqrt(1 - rel^2)
  over <- function(g) integrate(function(x) dnorm(x) * g(x), cut, Inf, rel.tol = 1e-12)$value / top
  shares <- rbind(shares, data.frame(reliability = rel, top = top, fall = over(function(x) (1 - rel) * x),
    improved = over(function(x) pnorm((x - least - rel * x) / sd2)), below = over(function(x) pnorm((cut - rel * x) / sd2)),
    recovered = over(function(x) pnorm((pmin(cut, x - least) - rel * x) / sd2)),
    worse = over(function(x) pnorm((x + least - rel * x) / sd2, lower.tail = FALSE))))
}
out(shares, "fall_normal")

# ---- power: Dong & Maynard's formulas and whole generalised least squares for staggered schedules ---------------------------
mult <- function(df, alpha, power) qt(1 - alpha / 2, df) + qt(power, df)
cra2 <- function(J, n, rho, r1 = 0, r2 = 0, g = 0, P = .5, alpha = .05, power = .8)
  mult(J - g - 2, alpha, power) * sqrt(rho * (1 - r2) / (P * (1 - P) * J) + (1 - rho) * (1 - r1) / (P * (1 - P) * J * n))
cra3 <- function(K, J, n, rho3, rho2, r1 = 0, r2 = 0, r3 = 0, g = 0, P = .5, alpha = .05, power = .8)
  mult(K - g - 2, alpha, power) * sqrt(rho3 * (1 - r3) / (P * (1 - P) * K) + rho2 * (1 - r2) / (P * (1 - P) * J * K) +
    (1 - rho2 - rho3) * (1 - r1) / (P * (1 - P) * J * K * n))
pw <- rbind(data.frame(schools = 20, classes = NA, pupils = 4, rho3 = .2, rho2 = NA, r1 = 0, r2 = NA, r3 = 0, g = 0, P = .5, mdes = cra2(20, 4, .2)),
  data.frame(schools = 129, classes = NA, pupils = 1000, rho3 = .04, rho2 = NA, r1 = 0, r2 = NA, r3 = 0, g = 0, P = .5, mdes = cra2(129, 1000, .04)),
  data.frame(schools = 129, classes = NA, pupils = 1000, rho3 = .04, rho2 = NA, r1 = .45, r2 = NA, r3 = .60, g = 1, P = .4, mdes = cra2(129, 1000, .04, .45, .6, 1, .4)),
  data.frame(schools = 60, classes = 3, pupils = 15, rho3 = .06, rho2 = .17, r1 = 0, r2 = 0, r3 = 0, g = 0, P = .5, mdes = cra3(60, 3, 15, .06, .17)),
  data.frame(schools = 40, classes = 24, pupils = 45, rho3 = .03, rho2 = .02, r1 = .4, r2 = .5, r3 = .6, g = 2, P = .3, mdes = cra3(40, 24, 45, .03, .02, .4, .5, .6, 2, .3)))
out(pw, "power")
gls <- function(X, m, icc, cac, iac) {   # pupils written out one by one: school + school-by-term + pupil + rest
  I <- nrow(X); T <- ncol(X); a <- icc * cac; c <- icc * (1 - cac); p <- (1 - icc) * iac; e <- (1 - icc) * (1 - iac)
  V <- kronecker(matrix(a, T, T) + diag(c, T), matrix(1, m, m)) + kronecker(matrix(p, T, T) + diag(e, T), diag(m)); Vi <- solve(V)
  info <- 0
  for (i in seq_len(I)) { D <- cbind(kronecker(diag(T), rep(1, m)), kronecker(X[i, ], rep(1, m))); info <- info + t(D) %*% Vi %*% D }
  sqrt(solve(info)[T + 1, T + 1])
}
wedge <- function(per, steps) do.call(rbind, lapply(seq_len(steps), function(s) matrix(as.numeric(seq_len(steps + 1) > s), per, steps + 1, byrow = TRUE)))
wait <- rbind(matrix(rep(c(0, 1), 6), 6, 2, byrow = TRUE), matrix(0, 6, 2))
sw <- NULL
for (k in list(list("wedge", wedge(3, 4), 10, .05, 1, 0), list("wedge", wedge(3, 4), 10, .05, .8, 0), list("wedge", wedge(3, 4), 10, .05, .8, .6), list("wait", wait, 8, .1, .7, .5)))
  sw <- rbind(sw, data.frame(design = k[[1]], pupils = k[[3]], icc = k[[4]], cac = k[[5]], iac = k[[6]], se = gls(k[[2]], k[[3]], k[[4]], k[[5]], k[[6]])))
out(sw, "schedule")

# ---- linear model on imputed outcomes shifted by arm (delta): every cell fitted anew --------------------------------------
imp <- mice(b, m = 5, method = "norm", seed = 11, maxit = 5, printFlag = FALSE)
long5 <- do.call(rbind, lapply(1:5, function(i) data.frame(imputation = i, complete(imp, i))))
out(long5, "delta_rows")
cells <- NULL; away <- is.na(b$bdi_8m)
for (dt in c(-4, 0, 6)) for (dc in c(-2, 0, 3)) {
  q <- u2 <- numeric(5)
  for (i in 1:5) { d <- complete(imp, i); d$bdi_8m <- d$bdi_8m + away * ifelse(d$treatment == 1, dt, dc)
    fit <- lm(bdi_8m ~ treatment + bdi_pre + drug, d); q[i] <- coef(fit)[2]; X <- model.matrix(fit); e <- resid(fit)
    br <- solve(crossprod(X)); V <- br %*% crossprod(X * e) %*% br * nrow(X) / (nrow(X) - 1) * (nrow(X) - 1) / (nrow(X) - ncol(X)); u2[i] <- V[2, 2] }
  p <- pool.scalar(q, u2, n = 100, k = 4)
  cells <- rbind(cells, data.frame(delta_treated = dt, delta_control = dc, estimate = p$qbar, se = sqrt(p$t), df = p$df))
}
out(cells, "delta")
