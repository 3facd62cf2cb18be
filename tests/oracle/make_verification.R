# Reference values for partial verification. Run by hand (Rscript tests/oracle/make_verification.R) and commit the CSV; tests never need R.
# R 4.2.2, mice 3.15. Begg & Greenes and its logistic form are written out here; standard errors by numeric delta method.
suppressPackageStartupMessages(library(mice))
expand <- function(tp, fp, fn, tn, up, un) data.frame(
  t = rep(c(1, 1, 0, 0, 1, 0), c(tp, fp, fn, tn, up, un)), d = rep(c(1, 0, 1, 0, NA, NA), c(tp, fp, fn, tn, up, un)))
se_sp <- function(t, p) c(sum(t * p) / sum(p), sum((1 - t) * (1 - p)) / sum(1 - p))
# Delta method: coefficients of the disease model, and the multinomial of the people by pattern.
delta <- function(rows, formula) {
  fit <- glm(formula, binomial, rows[!is.na(rows$d), ], control = list(epsilon = 1e-14, maxit = 100))
  key <- do.call(paste, rows[all.vars(formula)[-1]]); first <- !duplicated(key); pat <- rows[first, ]
  n <- as.numeric(table(factor(key, key[first]))); X <- model.matrix(delete.response(terms(formula)), pat); N <- sum(n)
  f <- function(b, w) se_sp_w(pat$t, plogis(drop(X %*% b)), w)
  se_sp_w <- function(t, p, w) c(sum(w * t * p) / sum(w * p), sum(w * (1 - t) * (1 - p)) / sum(w * (1 - p)))
  b <- coef(fit); est <- f(b, n); h <- 1e-6
  Jb <- sapply(seq_along(b), function(j) { e <- replace(0 * b, j, h); (f(b + e, n) - f(b - e, n)) / (2 * h) })
  Jn <- sapply(seq_along(n), function(j) { e <- replace(0 * n, j, 1e-3); (f(b, n + e) - f(b, n - e)) / 2e-3 })
  V <- Jb %*% vcov(fit) %*% t(Jb) + Jn %*% (diag(n) - n %o% n / N) %*% t(Jn)
  c(est, sqrt(diag(V)))
}
imputed <- function(rows, m, seed) {
  rows$d <- factor(rows$d); rows$t <- factor(rows$t)
  imp <- mice(rows, m = m, maxit = 1, method = c("", "logreg")[1 + (names(rows) == "d")], seed = seed, printFlag = FALSE)
  one <- sapply(1:m, function(i) { x <- complete(imp, i); t <- x$t == "1"; d <- x$d == "1"
    se <- mean(t[d]); sp <- mean(!t[!d]); c(se, sp, se * (1 - se) / sum(d), sp * (1 - sp) / sum(!d)) })
  q <- rowMeans(one[1:2, ]); u <- rowMeans(one[3:4, ]); b <- apply(one[1:2, ], 1, var)
  c(q, sqrt(u + (1 + 1 / m) * b))
}
tables <- list(hepatic = c(231, 32, 27, 54, 166, 140), diaphanography = c(26, 11, 7, 44, 30, 782), spect = c(195, 232, 5, 39, 996, 1221))
row <- function(data, method, x) data.frame(data = data, method = method, sensitivity = x[1], specificity = x[2], se_sensitivity = x[3], se_specificity = x[4])
out <- NULL
for (name in names(tables)) {
  rows <- do.call(expand, as.list(tables[[name]]))
  out <- rbind(out, row(name, "begg_greenes", delta(rows, d ~ t)))
  if (name != "diaphanography") out <- rbind(out, row(name, "mi", imputed(rows, 500, 11)))
}
# A made-up wave with covariates: rows as patterns go to the CSV, so that no random number must agree between R and Python.
set.seed(20261125); n <- 6000
w <- data.frame(sex = rbinom(n, 1, .5), grade = sample(7:9, n, TRUE), kind = sample(c("boarding", "day", "other"), n, TRUE))
w$t <- rbinom(n, 1, plogis(-1.5 + .4 * w$sex + .1 * (w$grade - 8)))
w$d <- rbinom(n, 1, plogis(-3 + 2.2 * w$t + .5 * w$sex + .3 * (w$grade - 8) + .4 * (w$kind == "boarding")))
v <- rbinom(n, 1, plogis(-1.5 + 2.5 * w$t + .6 * w$sex - .3 * (w$grade - 8) + .3 * (w$kind == "day")))
w$d[v == 0] <- NA
w <- w[c("t", "sex", "grade", "kind", "d")]
# Cells: rates of the verified of each cell; delta method over cells by numeric derivatives.
cells <- function(w) {
  key <- interaction(w$t, w$sex, w$grade, w$kind, drop = TRUE); t <- as.numeric(substr(levels(key), 1, 1)); v <- !is.na(w$d)
  n <- as.numeric(table(key)); s <- as.numeric(table(key[v])); p <- as.numeric(tapply(w$d[v], key[v], sum)) / s; N <- sum(n)
  f <- function(p, n) c(sum(n * t * p) / sum(n * p), sum(n * (1 - t) * (1 - p)) / sum(n * (1 - p)))
  Jp <- sapply(seq_along(p), function(j) { e <- replace(0 * p, j, 1e-6); (f(p + e, n) - f(p - e, n)) / 2e-6 })
  Jn <- sapply(seq_along(n), function(j) { e <- replace(0 * n, j, 1e-3); (f(p, n + e) - f(p, n - e)) / 2e-3 })
  V <- Jp %*% diag(p * (1 - p) / s) %*% t(Jp) + Jn %*% (diag(n) - n %o% n / N) %*% t(Jn); c(f(p, n), sqrt(diag(V)))
}
# Sandwich of the stacked equations of disease model and measures, derivatives numeric.
sandwiched <- function(w, formula) {
  v <- !is.na(w$d); d <- ifelse(v, w$d, 0); X <- model.matrix(delete.response(terms(formula)), w)
  b <- coef(glm.fit(X[v, ], d[v], family = binomial(), control = list(epsilon = 1e-14, maxit = 100)))
  psi <- function(th) { p <- plogis(drop(X %*% th[-(1:2)])); cbind((w$t - th[1]) * p, ((1 - w$t) - th[2]) * (1 - p), X * v * (d - p)) }
  th <- c(se_sp(w$t, plogis(drop(X %*% b))), b)
  A <- sapply(seq_along(th), function(j) { e <- replace(0 * th, j, 1e-6); (colSums(psi(th + e)) - colSums(psi(th - e))) / 2e-6 })
  V <- solve(A) %*% crossprod(psi(th)) %*% t(solve(A)); c(th[1:2], sqrt(diag(V))[1:2])
}
out <- rbind(out, row("wave", "begg_greenes logistic", sandwiched(w, d ~ t + sex + grade + kind)))
out <- rbind(out, row("wave", "begg_greenes model-based", delta(w, d ~ t + sex + grade + kind)))
out <- rbind(out, row("wave", "begg_greenes cells", cells(w)))
out <- rbind(out, row("wave", "mi", imputed(w, 500, 11)))
# Estimated weights: logistic in covariates, positives and negatives apart; sandwich of the stacked equations by numeric derivatives.
ipw <- function(w) {
  v <- !is.na(w$d); d <- ifelse(v, w$d, 0); X <- model.matrix(~ sex + grade + kind, w); Z <- cbind(X * w$t, X * (1 - w$t))
  g <- coef(glm.fit(Z, as.numeric(v), family = binomial(), control = list(epsilon = 1e-14, maxit = 100)))
  psi <- function(th) { p <- plogis(drop(Z %*% th[-(1:2)])); cbind(v * d * (w$t - th[1]) / p, v * (1 - d) * (1 - w$t - th[2]) / p, Z * (v - p)) }
  p <- plogis(drop(Z %*% g)); th <- c(sum((v * d * w$t / p)) / sum(v * d / p), sum(v * (1 - d) * (1 - w$t) / p) / sum(v * (1 - d) / p), g)
  A <- sapply(seq_along(th), function(j) { e <- replace(0 * th, j, 1e-6); (colSums(psi(th + e)) - colSums(psi(th - e))) / 2e-6 })
  V <- solve(A) %*% crossprod(psi(th)) %*% t(solve(A)); c(th[1:2], sqrt(diag(V))[1:2])
}
out <- rbind(out, row("wave", "ipw logistic", ipw(w)))
out <- out[order(out$data, out$method), ]
write.csv(out, "tests/oracle/verification_corrected.csv", row.names = FALSE)
w$d <- ifelse(is.na(w$d), -1, w$d)
write.csv(aggregate(n ~ ., cbind(w, n = 1), sum), "tests/oracle/verification_wave.csv", row.names = FALSE)
