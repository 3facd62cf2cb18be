# Reference values for latent class models. Run by hand (Rscript tests/oracle/make_latent_class.R) and commit the CSVs; tests never need R.
# R 4.2.2. The likelihood is written out and maximised by optim (BFGS) on the logit scale, errors from its Hessian.
fit <- function(counts, k, start) { # counts: populations x 2^k, first test the highest digit
  P <- nrow(counts); x <- as.matrix(expand.grid(rep(list(0:1), k)))[, k:1, drop = FALSE]
  nll <- function(th) { pi <- plogis(th[1:P]); se <- plogis(th[P + 1:k]); sp <- plogis(th[P + k + 1:k])
    ill <- apply(x, 1, function(r) prod(ifelse(r == 1, se, 1 - se))); well <- apply(x, 1, function(r) prod(ifelse(r == 1, 1 - sp, sp)))
    -sum(counts * log(pi %o% ill + (1 - pi) %o% well)) }
  o <- optim(qlogis(start), nll, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000), hessian = TRUE)
  e <- plogis(o$par); data.frame(estimate = e, std_error = sqrt(diag(solve(o$hessian))) * e * (1 - e), log_likelihood = -o$value)
}
tb <- rbind(c(528, 9, 4, 14), c(367, 37, 31, 887))
one <- cbind(data = "tuberculosis", fit(tb, 2, c(.1, .7, .9, .9, .95, .95)))
set.seed(4); n <- 4000; d <- rbinom(n, 1, .2); se <- c(.8, .7, .9, .6, .75); sp <- c(.9, .85, .95, .97, .8)
x <- sapply(1:5, function(j) ifelse(d == 1, rbinom(n, 1, se[j]), rbinom(n, 1, 1 - sp[j])))
table5 <- tabulate(1 + drop(x %*% 2^(4:0)), 32)
two <- cbind(data = "five", fit(rbind(table5), 5, c(.3, rep(.7, 5), rep(.8, 5))))
table3 <- tabulate(1 + drop(x[, 1:3] %*% 2^(2:0)), 8)
three <- cbind(data = "three", fit(rbind(table3), 3, c(.3, rep(.7, 3), rep(.8, 3))))
write.csv(rbind(one, two, three), "tests/oracle/latent_class.csv", row.names = FALSE)
write.csv(rbind(data.frame(data = "five", pattern = 0:31, n = table5), data.frame(data = "three", pattern = 0:7, n = table3)), "tests/oracle/latent_class_tables.csv", row.names = FALSE)
