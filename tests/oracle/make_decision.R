# Reference values for decision measures. Run by hand (Rscript tests/oracle/make_decision.R) and commit the CSVs; tests never need R.
# R 4.2.2, rms 6.5, survey 4.1, psych 2.2.9, epiR 2.0.57. The data are invented here; no person stands behind a row.
suppressPackageStartupMessages({library(rms); library(survey); library(psych); library(epiR)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
set.seed(20261125)

# 1. Invented pupils: 40 schools, a risk, its recalibrated copy, a whole-number score, a second test, three groups, weights.
n <- 800; school <- rep(1:40, length.out = n); u <- rnorm(40, 0, .4)
lp <- round(-2 + 1.2 * rnorm(n), 6)
rows <- data.frame(school = school, group = sample(c("a", "b", "c"), n, TRUE, c(.5, .3, .2)), risk = round(plogis(lp), 8))
rows$case <- rbinom(n, 1, plogis(lp + u[school]))
rows$recalibrated <- round(plogis(.5 + 1.3 * lp), 8)
rows$score <- pmin(27, pmax(0, round(8 + 4 * (lp + 2) + rnorm(n))))
rows$from_score <- plogis(-4 + .25 * rows$score)
rows$test <- rbinom(n, 1, ifelse(rows$case == 1, .8, .2))
rows$weight <- round(runif(n, .5, 3), 3)
out(rows[, names(rows) != "from_score"], "decision_rows.csv")
logit <- function(p) log(p / (1 - p))
design <- svydesign(ids = ~school, weights = ~weight, data = rows)
single <- svydesign(ids = ~1, weights = ~1, data = rows)

# 2. Calibration of three risks: val.prob, glm, loess in both surfaces; survey for weights and clusters.
one <- function(name) {
  p <- rows[[name]]; y <- rows$case
  v <- val.prob(p, y, pl = FALSE)
  a <- summary(glm(y ~ offset(logit(p)), binomial, epsilon = 1e-14))$coefficients; b <- summary(glm(y ~ logit(p), binomial, epsilon = 1e-14))$coefficients
  d <- update(design, p = p, y = y, e = (p - y)^2); s <- update(single, p = p, y = y, e = (p - y)^2)
  sa <- svyglm(y ~ offset(logit(p)), d, family = quasibinomial(), epsilon = 1e-14); sb <- svyglm(y ~ logit(p), d, family = quasibinomial(), epsilon = 1e-14)
  gap <- abs(fitted(loess(y ~ p)) - p); direct <- loess(y ~ p, surface = "direct"); gap_direct <- abs(fitted(direct) - p)
  oe <- svyratio(~y, ~p, s); oew <- svyratio(~y, ~p, d)
  wgap <- abs(fitted(loess(y ~ p, weights = rows$weight)) - p)
  data.frame(risk = name, brier = v[["Brier"]], intercept = v[["Intercept"]], slope = v[["Slope"]],
    emax_rms = v[["Emax"]], joint = v[["U:Chi-sq"]], joint_p = v[["U:p"]], citl = a[1, 1], citl_se = a[1, 2], intercept_se = b[1, 2], slope_se = b[2, 2],
    oe = coef(oe)[[1]], oe_se = SE(oe)[[1]], brier_se = SE(svymean(~e, s))[[1]],
    ici = mean(gap), e50 = median(gap), e90 = quantile(gap, .9)[[1]], emax = max(gap),
    ici_direct = mean(gap_direct), e50_direct = median(gap_direct), e90_direct = quantile(gap_direct, .9)[[1]],
    w_citl = coef(sa)[[1]], w_citl_se = SE(sa)[[1]], w_intercept = coef(sb)[[1]], w_intercept_se = SE(sb)[[1]],
    w_slope = coef(sb)[[2]], w_slope_se = SE(sb)[[2]], w_oe = coef(oew)[[1]], w_oe_se = SE(oew)[[1]],
    w_brier = coef(svymean(~e, d))[[1]], w_brier_se = SE(svymean(~e, d))[[1]], w_ici = sum(rows$weight * wgap) / sum(rows$weight))
}
out(do.call(rbind, lapply(c("risk", "recalibrated", "from_score"), one)), "decision_calibration.csv")
smooth <- function(name) { p <- rows[[name]]; f <- loess(rows$case ~ p); g <- loess(rows$case ~ p, surface = "direct")
  k <- 1:40; data.frame(risk = name, at = p[k], interpolate = fitted(f)[k], direct = fitted(g)[k]) }
out(do.call(rbind, lapply(c("risk", "from_score"), smooth)), "decision_loess.csv")

# 3. Net benefit written out from its formula; its standard errors are those of a mean over people (survey::svymean).
curve <- function(t) {
  o <- t / (1 - t); z <- function(positive) positive * (rows$case - o * (1 - rows$case))
  m <- z(rows$risk >= t); a <- z(1); r <- z(rows$recalibrated >= t); e <- z(rows$test == 1)
  pick <- function(d, v) { s <- svymean(~v, update(d, v = v)); c(coef(s)[[1]], SE(s)[[1]]) }
  pi <- .05; se <- mean(rows$risk[rows$case == 1] >= t); fpr <- mean(rows$risk[rows$case == 0] >= t)
  q <- c(pick(single, m), pick(single, a), pick(single, e), pick(single, m - a), pick(single, r - m), pick(design, m), pick(design, r - m))
  names(q) <- c("model", "model_se", "all", "all_se", "test", "test_se", "gain", "gain_se", "difference", "difference_se",
                "w_model", "w_model_se", "w_difference", "w_difference_se")
  data.frame(threshold = t, as.list(q), avoided = (mean(m) - mean(a)) / o, override = se * pi - fpr * (1 - pi) * o)
}
out(do.call(rbind, lapply(c(.05, .1, .15, .2, .3, .5), curve)), "decision_net_benefit.csv")

# 4. Groups at one cut-off: plain and by design (weights and schools).
rows$positive <- as.integer(rows$score >= 10); design <- update(design, positive = rows$positive)
by <- function(domain, what) {
  d <- subset(design, domain); s <- svyby(what, ~group, d, svymean, covmat = TRUE); v <- vcov(s); e <- coef(s)
  L <- rbind(c(-1, 1, 0), c(-1, 0, 1)); q <- L %*% e
  list(estimate = e, se = SE(s), difference = c(NA, q), difference_se = c(NA, sqrt(diag(L %*% v %*% t(L)))),
       chi2 = as.numeric(t(q) %*% solve(L %*% v %*% t(L)) %*% q))
}
measure <- function(name, domain, value) {
  x <- tapply(value[domain], rows$group[domain], sum); m <- tapply(domain, rows$group, sum)
  pair <- sapply(2:3, function(j) suppressWarnings(prop.test(x[c(j, 1)], m[c(j, 1)], correct = FALSE)$p.value))
  given <- value; design <<- update(design, value = given); w <- by(domain, ~value)
  data.frame(measure = name, group = names(x), x = x, n = m, p = c(NA, pair), p_global = suppressWarnings(prop.test(x, m, correct = FALSE)$p.value),
    w_estimate = w$estimate, w_se = w$se, w_difference = w$difference, w_difference_se = w$difference_se, w_chi2 = w$chi2)
}
p <- rows$positive; y <- rows$case
groups <- rbind(measure("sensitivity", y == 1, p), measure("specificity", y == 0, 1 - p), measure("ppv", p == 1, y),
                measure("npv", p == 0, 1 - y), measure("referral_rate", y >= 0, p))
known <- !is.na(groups$p)
groups$p_holm <- groups$p_bh <- NA
groups$p_holm[known] <- p.adjust(groups$p[known], "holm"); groups$p_bh[known] <- p.adjust(groups$p[known], "BH")
out(groups, "decision_groups.csv")

# 5. Ratios within clusters: nonlinear contrasts of four totals.
d <- update(design, tp = p * y, fp = p * (1 - y), fn = (1 - p) * y, tn = (1 - p) * (1 - y))
total <- svytotal(~tp + fp + fn + tn, d)
forms <- list(youden = quote(tp / (tp + fn) + tn / (tn + fp) - 1), lr_positive = quote(log(tp / (tp + fn) / (fp / (tn + fp)))),
              lr_negative = quote(log(fn / (tp + fn) / (tn / (tn + fp)))), dor = quote(log(tp * tn / (fp * fn))))
out(do.call(rbind, lapply(names(forms), function(f) { s <- svycontrast(total, forms[[f]]); data.frame(term = f, estimate = coef(s)[[1]], se = SE(s)[[1]]) })),
    "decision_ratios.csv")

# 6. Agreement: psych (error away from zero), epiR (error at zero), and weighted kappa, linear weights included.
tables <- list(two = matrix(c(19, 10, 6, 256), 2, byrow = TRUE), three = matrix(c(50, 10, 3, 8, 40, 9, 2, 7, 30), 3, byrow = TRUE))
agree <- function(name) { t <- tables[[name]]; k <- cohen.kappa(t); l <- nrow(t)
  linear <- cohen.kappa(t, w = 1 - abs(outer(1:l, 1:l, "-")) / (l - 1)); e <- epi.kappa(t)
  data.frame(table = name, kappa = k$kappa, kappa_se = sqrt(k$var.kappa), kappa_se_null = e$kappa$se, quadratic = k$weighted.kappa,
             quadratic_se = sqrt(k$var.weighted), linear = linear$weighted.kappa, linear_se = sqrt(linear$var.weighted), pabak = e$pabak$est,
             pabak_low = e$pabak$lower, pabak_high = e$pabak$upper) }
out(do.call(rbind, lapply(names(tables), agree)), "decision_kappa.csv")

# 7. GHQ (HSAUR3, GPL): cases and non-cases at each score of women and men, for areas within groups.
out(HSAUR3::GHQ, "decision_ghq.csv")
