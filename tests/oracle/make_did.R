# Reference values of difference-in-differences. Run by hand: Rscript tests/oracle/make_did.R
# R 4.2.2, clubSandwich 0.5.8, otherwise base R.
# did_mpdta.csv.gz: log teen employment by county and year 2003-07, year of the first rise of the minimum wage (0 never) and
# log population; public data shipped with R's did (Callaway & Sant'Anna 2021), read from PyPI's moderndid 0.2.0.
suppressPackageStartupMessages(library(clubSandwich))
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
rows <- list()
keep <- function(case, term, estimate, std_error = NA, df = NA, p_value = NA)
  rows[[length(rows) + 1]] <<- data.frame(case, term, estimate, std_error, df, p_value)
cr2 <- function(case, fit, cluster, term, type = "CR2") {
  s <- coef_test(fit, vcov = vcovCR(fit, cluster = cluster, type = type), test = "Satterthwaite")[term, ]
  keep(case, "effect", s$beta, s$SE, s$df_Satt, s$p_Satt)
}

# 1. Two groups, two waves: 14 schools of unequal size, pupils measured twice, some lost.
set.seed(20261126)
size <- c(4, 6, 8, 10, 12, 5, 7, 9, 11, 13, 6, 8, 14, 5)
school <- rep(seq_along(size), size); n <- length(school)
level <- rnorm(14)[school] + rnorm(n); sex <- rbinom(n, 1, .5); ses <- round(rnorm(n), 2)
two <- data.frame(pupil = rep(seq_len(n), 2), school = rep(school, 2), treated = rep(as.integer(school <= 6), 2),
  post = rep(0:1, each = n), sex = ifelse(rep(sex, 2) == 1, "boy", "girl"), ses = rep(ses, 2))
two$y <- round(10 + rep(level, 2) + .5 * two$post + .8 * two$treated * two$post + .3 * two$ses + rnorm(2 * n), 2)
two <- two[-c(3, 17, n + 5, n + 40, n + 41, 2 * n), ]
out(two, "did_rows.csv")
cr2("cross_pupil", lm(y ~ treated * post, two), two$school, "treated:post")
cr2("cross_pupil_covariates", lm(y ~ treated * post + sex + ses, two), two$school, "treated:post")
two$w <- 1 / ave(two$y, two$school, two$post, FUN = length)
cr2("cross_school", lm(y ~ treated * post, two, weights = w), two$school, "treated:post")
wide <- merge(two[two$post == 0, c("pupil", "school", "treated", "sex", "ses", "y")], two[two$post == 1, c("pupil", "y")], by = "pupil")
wide$change <- wide$y.y - wide$y.x
cr2("panel_pupil", lm(change ~ treated, wide), wide$school, "treated")
cr2("panel_pupil_covariates", lm(change ~ treated + sex + ses, wide), wide$school, "treated")
wide$w <- 1 / ave(wide$change, wide$school, FUN = length)
cr2("panel_school", lm(change ~ treated, wide, weights = w), wide$school, "treated")

# 2. Group-time effects of mpdta as Welch's t tests of changes since the year before; and of average leads and lags.
m <- reshape(read.csv(gzfile("tests/oracle/did_mpdta.csv.gz"))[c("county", "year", "lemp", "first")], idvar = c("county", "first"),
  timevar = "year", direction = "wide")
y <- as.matrix(m[, paste0("lemp.", 2003:2007)]); colnames(y) <- 2003:2007
welch <- function(case, term, a, b) { t <- t.test(a, b); keep(case, term, unname(t$estimate[1] - t$estimate[2]), t$stderr, unname(t$parameter), t$p.value) }
for (g in c(2004, 2006, 2007)) for (t in 2003:2007) if (t != g - 1) for (control in c("never", "not_yet")) {
  change <- y[, as.character(t)] - y[, as.character(g - 1)]
  if (control == "never") welch("never", paste0("g=", g, ",t=", t), change[m$first == g], change[m$first == 0])
}
# A mean over cohorts by hand: e = 1 joins cohorts 2004 (t 2005) and 2006 (t 2007).
k <- c("2004" = 20, "2006" = 40) / 60
d1 <- y[, "2005"] - y[, "2003"]; d2 <- y[, "2007"] - y[, "2005"]; never <- m$first == 0
z <- list(k[1] * d1[m$first == 2004], k[2] * d2[m$first == 2006], (k[1] * d1 + k[2] * d2)[never])
v <- sapply(z, function(x) var(x) / length(x)); est <- mean(z[[1]]) + mean(z[[2]]) - mean(z[[3]])
df <- sum(v)^2 / sum(v^2 / (lengths(z) - 1)); keep("never", "e=1", est, sqrt(sum(v)), df, 2 * pt(-abs(est / sqrt(sum(v))), df))
# Two cohorts that begin together: Hotelling's T2 needs equal covariances; with one cohort and its own control we take the F of
# Krishnamoorthy & Yu (2004) for the leads of cohort 2007.
L <- cbind(y[, "2003"], y[, "2004"], y[, "2005"]) - y[, "2006"]
a <- L[m$first == 2007, ]; b <- L[never, ]
va <- cov(a) / nrow(a); vb <- cov(b) / nrow(b); s <- va + vb; diff <- colMeans(a) - colMeans(b)
T2 <- drop(t(diff) %*% solve(s, diff)); tr <- function(x) sum(diag(x))
part <- function(v, n) { q <- v %*% solve(s); (tr(q %*% q) + tr(q)^2) / (n - 1) }
nu <- (3 + 9) / (part(va, nrow(a)) + part(vb, nrow(b))); F <- T2 * (nu - 2) / (nu * 3)
keep("joint", "leads of 2007", F, NA, nu - 2, pf(F, 3, nu - 2, lower.tail = FALSE))
# Slope that this test finds with 50 and 80 %.
path <- c(-3, -2, -1); per <- drop(t(path) %*% solve(s, path))
for (power in c(.5, .8)) {
  f <- function(g) pf(qf(.95, 3, nu - 2), 3, nu - 2, ncp = g^2 * per, lower.tail = FALSE) - power
  keep("power", paste0("slope ", power), uniroot(f, c(1e-6, 1), tol = 1e-14)$root)
}
# Two-way fixed effects of 60 counties, CR2 by county.
some <- m[c(which(m$first == 2004)[1:10], which(m$first == 2006)[1:15], which(m$first == 2007)[1:15], which(never)[1:20]), ]
long <- reshape(some, direction = "long", idvar = "county", varying = paste0("lemp.", 2003:2007), v.names = "y", times = 2003:2007, timevar = "year")
long$d <- as.integer(long$first > 0 & long$year >= long$first)
fe <- lm(y ~ d + factor(year) + factor(county), long)
s <- coef_test(fe, vcov = vcovCR(fe, cluster = long$county, type = "CR2"), test = "Satterthwaite")["d", ]
keep("two_way", "programme", s$beta, s$SE, s$df_Satt, s$p_Satt)
out(data.frame(county = some$county), "did_some.csv")
out(do.call(rbind, rows), "did_values.csv")
