# Reference values for item response theory. Run by hand (Rscript tests/oracle/make_irt.R); tests never need R.
# R 4.2.2, psych 2.2.9, psychTools, lme4. mirt is not on this machine: irt_anchors.csv holds what mirt 1.37.4 printed
# (logL, slopes, thresholds, M2, LR of DIF) and what mirt's own tests expect (github.com/philchalmers/mirt, tests/testthat).
suppressPackageStartupMessages({library(psych); library(lme4)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)

# 1. LSAT6, LSAT7 (Bock & Lieberman 1970) as patterns; bfi N with gender as patterns, missing answers kept.
data(bock)
lsat <- bock.table[, c(paste0("Q", 1:5), "Ob6", "Ob7")]; names(lsat) <- c(paste0("Q", 1:5), "lsat6", "lsat7")
out(lsat, "irt_lsat.csv")
bfi <- psychTools::bfi[, c(paste0("N", 1:5), "gender")]
b <- bfi; b[is.na(b)] <- 99; t <- aggregate(list(count = rep(1, nrow(b))), b, sum); t[t == 99] <- NA
out(t, "irt_bfi_n.csv")

# 2. The Rasch model of LSAT6 as a mixed logistic regression, 25 adaptive Gauss-Hermite points.
x <- as.matrix(lsat[rep(1:32, lsat$lsat6), 1:5])
long <- data.frame(y = c(x), item = factor(rep(1:5, each = nrow(x))), person = factor(rep(1:nrow(x), 5)))
m <- glmer(y ~ 0 + item + (1 | person), long, binomial, nAGQ = 25)
rows <- data.frame(data = "lsat6", model = "common", term = c("sd", paste0("d", 1:5)), estimate = c(sqrt(VarCorr(m)$person[1]), fixef(m)),
                   std_error = c(NA, sqrt(diag(vcov(m)))), loglik = as.numeric(logLik(m)))

# 3. The graded model written out and maximised by optim, standard errors from its numerical Hessian; 121 points, -8 to 8.
theta <- seq(-8, 8, length.out = 121); w <- dnorm(theta) / sum(dnorm(theta))
graded <- function(x, n, k, label) {
  p <- ncol(x); where <- p + c(0, cumsum(k - 1))
  ll <- function(v) { L <- matrix(0, nrow(x), length(theta))
    for (j in 1:p) { d <- v[(where[j] + 1):where[j + 1]]; if (any(diff(d) >= 0)) return(1e10)
      F <- rbind(1, plogis(outer(d, v[j] * theta, "+")), 0); P <- F[1:k[j], , drop = FALSE] - F[2:(k[j] + 1), , drop = FALSE]
      L <- L + log(pmax(P, 1e-300))[x[, j] + 1, ] }
    -sum(n * log(exp(L) %*% w)) }
  start <- c(rep(1.5, p), unlist(lapply(1:p, function(j) qlogis(sapply(1:(k[j] - 1), function(c) sum(n * (x[, j] >= c)) / sum(n))) * 1.3)))
  f <- optim(start, ll, method = "BFGS", control = list(maxit = 500, reltol = 1e-14))
  f <- optim(f$par, ll, method = "BFGS", control = list(maxit = 500, reltol = 1e-15), hessian = TRUE)
  se <- sqrt(diag(solve(f$hessian)))
  data.frame(data = label, model = "free", term = c(paste0("a", 1:p), paste0("d", seq_len(sum(k - 1)))), estimate = f$par, std_error = se, loglik = -f$value)
}
for (s in c("lsat6", "lsat7")) rows <- rbind(rows, graded(as.matrix(lsat[, 1:5]), lsat[[s]], rep(2, 5), s))
y <- na.omit(bfi[, 1:5]) - 1; t <- aggregate(list(count = rep(1, nrow(y))), y, sum)
rows <- rbind(rows, graded(as.matrix(t[, 1:5]), t$count, rep(6, 5), "bfi_n"))
out(rows, "irt_optim.csv")
