# Reference values of matched comparison, uptake and dose. Run by hand: Rscript tests/oracle/make_weights.R
# R 4.2.2, survey, clubSandwich, AER, otherwise base R.
# weights_lalonde.csv: the 614 rows `lalonde` of R's MatchIt 4.5.1 (LaLonde 1986; Dehejia & Wahba 1999), public data.
suppressPackageStartupMessages({library(clubSandwich); library(survey); library(AER)})
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
rows <- list()
keep <- function(case, term, estimate, std_error = NA, df = NA, p_value = NA)
  rows[[length(rows) + 1]] <<- data.frame(case, term, estimate, std_error, df, p_value)
cr2 <- function(case, name, fit, cluster, term, type = "CR2") {
  s <- coef_test(fit, vcov = vcovCR(fit, cluster = cluster, type = type), test = "Satterthwaite")[term, ]
  keep(case, name, s$beta, s$SE, s$df_Satt, s$p_Satt)
}
data(lalonde, package = "MatchIt")
l <- lalonde; l$race <- as.character(l$race); l$district <- rep(1:41, length.out = nrow(l))
out(l, "weights_lalonde.csv")

# 1. Propensity and weights; effects with pupils alone and by an arbitrary cluster of every 41st row.
form <- treat ~ age + educ + race + married + nodegree + re74 + re75
p <- glm(form, binomial, l, control = glm.control(epsilon = 1e-14, maxit = 100))
s <- coef(summary(p)); for (t in rownames(s)) keep("propensity", t, s[t, 1], s[t, 2], NA, s[t, 4])
e <- fitted(p)
w <- list(ato = ifelse(l$treat == 1, 1 - e, e), ate = ifelse(l$treat == 1, 1 / e, 1 / (1 - e)), att = ifelse(l$treat == 1, 1, e / (1 - e)))
w$trimmed <- ifelse(e >= .1 & e <= .9, w$ate, 0)
kish <- function(w) sum(w)^2 / sum(w^2)
effects <- function(case, weight) {
  d <- l; d$w <- weight; d <- d[d$w > 0, ]
  fit <- lm(re78 ~ treat, d, weights = w)
  cr2(case, "CR2 alone", fit, seq_len(nrow(d)), "treat"); cr2(case, "CR2 by district", fit, d$district, "treat")
  g <- svyglm(re78 ~ treat, svydesign(~district, weights = ~w, data = d))
  keep(case, "survey by district", coef(g)[["treat"]], SE(g)[["treat"]])
  keep(case, "effective treated", kish(d$w[d$treat == 1])); keep(case, "effective untreated", kish(d$w[d$treat == 0]))
  keep(case, "largest share", max(d$w[d$treat == 1] / sum(d$w[d$treat == 1]), d$w[d$treat == 0] / sum(d$w[d$treat == 0])))
}
for (case in names(w)) effects(case, w[[case]])

# 2. Doubly robust by hand: least squares in each group.
m <- lapply(1:0, function(a) predict(lm(update(form, re78 ~ .), l[l$treat == a, ]), l))
for (case in c("ato", "ate", "att")) {
  h <- switch(case, ato = e * (1 - e), ate = rep(1, nrow(l)), att = e); k <- w[[case]]; t <- l$treat == 1
  keep(case, "doubly robust", sum(h * (m[[1]] - m[[2]])) / sum(h) + weighted.mean((l$re78 - m[[1]])[t], k[t]) -
    weighted.mean((l$re78 - m[[2]])[!t], k[!t]))
}

# 3. Entropy balancing by optim on the dual, then Newton's steps to the last digit.
X <- model.matrix(form, l)[, -1]
balance <- function(X) {
  X <- scale(X); t <- l$treat == 1; Z <- sweep(X[!t, ], 2, colMeans(X[t, ]))
  dual <- function(b) log(sum(exp(Z %*% b)))
  grad <- function(b) { q <- exp(Z %*% b); drop(crossprod(Z, q / sum(q))) }
  b <- optim(rep(0, ncol(Z)), dual, grad, method = "BFGS", control = list(maxit = 5000, reltol = 1e-14))$par
  for (i in 1:10) { q <- drop(exp(Z %*% b)); q <- q / sum(q); g <- drop(crossprod(Z, q)); b <- b - solve(crossprod(Z, Z * q) - g %*% t(g), g) }
  k <- rep(1, nrow(l)); q <- drop(exp(Z %*% b)); k[!t] <- q / sum(q) * sum(t); k
}
w$entropy1 <- balance(X); effects("entropy1", w$entropy1)
# Values of one race only lie on no line: squares of the columns with more than two values.
w$entropy2 <- balance(cbind(X, scale(X[, c("age", "educ", "re74", "re75")])^2)); effects("entropy2", w$entropy2)
out(do.call(rbind, rows), "weights_values.csv")
out(data.frame(row = 1:nrow(l), lapply(w, function(k) k / ave(k, l$treat, FUN = sum)))[seq(1, 614, by = 13), ], "weights_rows.csv")

# 4. Balance by hand, before and after overlap weighting.
unweighted <- rep(1, nrow(l)); bal <- list()
for (case in c("before", "ato")) {
  k <- if (case == "ato") w$ato else unweighted; t <- l$treat == 1; n <- nrow(l); omega <- 1 - 3 / (4 * n - 9)
  v <- function(x, k) { m <- weighted.mean(x, k); sum(k * (x - m)^2) / (sum(k) - sum(k^2) / sum(k)) }
  for (name in c("age", "educ", "re74", "re75")) {
    x <- l[[name]]; sd <- sqrt((var(x[t]) * (sum(t) - 1) + var(x[!t]) * (sum(!t) - 1)) / (n - 2)); a <- weighted.mean(x[t], k[t]); b <- weighted.mean(x[!t], k[!t])
    bal[[length(bal) + 1]] <- data.frame(case, term = name, value = a, reference_value = b, difference = omega * (a - b) / sd, variance_ratio = v(x[t], k[t]) / v(x[!t], k[!t]))
  }
  for (name in c("married", "nodegree", "race[black]", "race[hispan]", "race[white]")) {
    x <- if (grepl("race", name)) as.numeric(paste0("race[", l$race, "]") == name) else l[[name]]; a <- weighted.mean(x[t], k[t]); b <- weighted.mean(x[!t], k[!t])
    bal[[length(bal) + 1]] <- data.frame(case, term = name, value = a, reference_value = b, difference = omega * (qlogis(a) - qlogis(b)) / 1.65, variance_ratio = NA)
  }
}
out(do.call(rbind, bal), "weights_balance.csv")

# 5. Uptake: 24 schools in 6 strata, offered by school, some drop out and a few others slip in.
set.seed(20261126); rows <- list()
size <- rep(c(8, 11, 14, 17), 6); school <- rep(1:24, size); n <- length(school); stratum <- (school - 1) %/% 4
offered <- as.integer(school %% 2 == 0); u <- rnorm(n); baseline <- round(rnorm(n), 2); sex <- ifelse(rbinom(n, 1, .5) == 1, "boy", "girl")
took <- ifelse(offered == 1, as.integer(u > -.6), as.integer(u > 1.6))
sessions <- ifelse(took == 1, pmin(1 + rpois(n, 3), 8), 0)
y <- round(5 + .4 * baseline - .6 * took + .5 * u + .3 * rnorm(24)[school] + rnorm(n), 2)
c1 <- data.frame(school, stratum, offered, took, sessions, baseline, sex, y); out(c1, "weights_complier_rows.csv")
ar <- function(case, right, level = .95) {
  # Invert the CR2 t test of the offer in y - b took, by root finding: no closed form.
  t2 <- function(b) { d <- c1; d$r <- d$y - b * d$took; f <- lm(reformulate(right, "r"), d)
    s <- coef_test(f, vcov = vcovCR(f, cluster = d$school, type = "CR2"), test = "Satterthwaite")["offered", ]; s$tstat^2 - qt((1 + level) / 2, s$df_Satt)^2 }
  mid <- coef(lm(reformulate(right, "y"), c1))["offered"] / coef(lm(reformulate(right, "took"), c1))["offered"]
  keep(case, "ar low", uniroot(t2, c(mid - 10, mid), tol = 1e-13)$root); keep(case, "ar high", uniroot(t2, c(mid, mid + 10), tol = 1e-13)$root)
}
models <- list(plain = character(), covariates = c("baseline", "sex"), strata = c("baseline", "sex", "factor(stratum)"))
for (case in names(models)) {
  right <- c("offered", models[[case]])
  iv <- ivreg(as.formula(paste("y ~", paste(c("took", models[[case]]), collapse = "+"), "|", paste(right, collapse = "+"))), data = c1)
  cr2(case, "complier effect", iv, c1$school, "took")
  cr2(case, "offer", lm(reformulate(right, "y"), c1), c1$school, "offered"); cr2(case, "uptake", lm(reformulate(right, "took"), c1), c1$school, "offered")
  # Two-stage least squares by matrices.
  X <- model.matrix(reformulate(c("took", models[[case]])), c1); Z <- model.matrix(reformulate(right), c1)
  keep(case, "by matrices", solve(crossprod(Z, X), crossprod(Z, c1$y))["took", ]); ar(case, right)
}
out(do.call(rbind, rows), "weights_complier.csv")

# 6. Sessions within schools, among the offered.
rows <- list(); d <- c1[c1$offered == 1, ]; fe <- "factor(school)"
cr2("line", "dose", lm(reformulate(c("sessions", "baseline", fe), "y"), d), d$school, "sessions")
d$p0 <- pmin(d$sessions, 2); d$p1 <- pmin(pmax(d$sessions - 2, 0), 3); d$p2 <- pmax(d$sessions - 5, 0)
f <- lm(reformulate(c("p0", "p1", "p2", "baseline", fe), "y"), d)
for (i in 0:2) cr2("pieces", c("dose to 2", "dose 2 to 5", "dose from 5")[i + 1], f, d$school, paste0("p", i))
f <- lm(reformulate(c("factor(sessions)", "baseline", fe), "y"), d); levels <- sort(unique(d$sessions)); count <- as.vector(table(d$sessions))
diff <- c(0, coef(f)[paste0("factor(sessions)", levels[-1])])
for (i in seq_along(levels)[-1]) cr2("levels", levels[i], f, d$school, paste0("factor(sessions)", levels[i]))
# Pool adjacent violators: isoreg has no weights, so each level is repeated by its pupils.
iso <- -isoreg(rep(levels, count), -rep(diff, count))$yf; for (v in levels) keep("monotone", v, iso[rep(levels, count) == v][1])
out(do.call(rbind, rows), "weights_dose.csv")
