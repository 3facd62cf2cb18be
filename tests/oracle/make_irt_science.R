# The graded model of irt_science.csv written out and maximised by base R (R 4.2.2): 61 points, -6 to 6, as mirt and mhlib have.
# Run by hand (Rscript tests/oracle/make_irt_science.R); tests never need R. Analytic gradient, so that the maximum is sharp.
data <- read.csv("tests/oracle/irt_science.csv"); x <- as.matrix(data[, 1:4]); n <- data$freq
theta <- seq(-6, 6, length.out = 61); w <- dnorm(theta) / sum(dnorm(theta))
parts <- function(v, j) { d <- v[4 + 3 * (j - 1) + 1:3]
  F <- rbind(1, plogis(outer(d, v[j] * theta, "+")), 0); list(F = F, P = F[1:4, ] - F[2:5, ], slope = F * (1 - F)) }
both <- function(v) {
  each <- lapply(1:4, function(j) parts(v, j)); if (any(sapply(each, function(e) min(e$P)) <= 0)) return(NULL)
  L <- Reduce(`*`, lapply(1:4, function(j) each[[j]]$P[x[, j], ])); m <- as.vector(L %*% w)
  post <- sweep(L, 2, w, `*`) / m * n; g <- numeric(16)
  for (j in 1:4) { s <- each[[j]]$slope; p <- each[[j]]$P[x[, j], ]; up <- s[x[, j], ]; down <- s[x[, j] + 1, ]
    g[j] <- sum(sweep(post * (up - down) / p, 2, theta, `*`))
    for (c in 1:3) { k <- 4 + 3 * (j - 1) + c
      g[k] <- sum((post * up / p)[x[, j] == c + 1, ]) - sum((post * down / p)[x[, j] == c, ]) } }
  list(l = sum(n * log(m)), g = g)
}
value <- function(v) { f <- both(v); if (is.null(f)) 1e10 else -f$l }
gradient <- function(v) -both(v)$g
start <- c(rep(1.2, 4), unlist(lapply(1:4, function(j) 1.2 * qlogis(sapply(2:4, function(c) sum(n[x[, j] >= c]) / sum(n))))))
f <- list(par = start)
for (i in 1:5) f <- optim(f$par, value, gradient, method = "BFGS", control = list(maxit = 1000, reltol = 1e-16))
h <- optimHess(f$par, value, gradient, control = list(ndeps = rep(1e-4, 16)))
for (i in 1:3) { f$par <- f$par - solve(h, gradient(f$par)); h <- optimHess(f$par, value, gradient, control = list(ndeps = rep(1e-4, 16))) }
cat("log-likelihood", format(-value(f$par), digits = 12), "largest gradient", max(abs(gradient(f$par))), "\n")
items <- names(data)[1:4]
write.csv(data.frame(term = c(paste(items, "slope"), paste(rep(items, each = 3), "intercept", 2:4)), estimate = f$par,
  std_error = sqrt(diag(solve(h))), loglik = -value(f$par)), "tests/oracle/irt_science_optim.csv", row.names = FALSE)
