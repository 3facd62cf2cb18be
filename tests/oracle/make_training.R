# Reference values of teacher training: signal detection, ratios of gains, decay, cascade, time to event, stocks.
# Run by hand: Rscript tests/oracle/make_training.R
# R 4.2.2, survival 3.5-3, cmprsk 2.2-11, lme4 1.1-31, lmerTest 3.1-3, clubSandwich 0.5.8, survey 4.1.1, HSAUR3 1.0-13.
suppressPackageStartupMessages({library(survival); library(cmprsk); library(lmerTest); library(clubSandwich); library(survey)})
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", paste0("training_", name, ".csv")), row.names = FALSE)

# 1. Signal detection, independent answers; clusters by the survey package's covariance of the two shares.
sdt <- function(h, n1, f, n0, loglinear) {
  H <- if (loglinear) (h + .5) / (n1 + 1) else h / n1; F <- if (loglinear) (f + .5) / (n0 + 1) else f / n0
  v <- H * (1 - H) / (n1 * dnorm(qnorm(H))^2) + F * (1 - F) / (n0 * dnorm(qnorm(F))^2)
  data.frame(hits = h, cases = n1, false_alarms = f, noncases = n0, loglinear = loglinear, d_prime = qnorm(H) - qnorm(F),
             criterion = -(qnorm(H) + qnorm(F)) / 2, d_error = sqrt(v), c_error = sqrt(v) / 2)
}
out(rbind(sdt(20, 25, 7, 25, TRUE), sdt(20, 25, 7, 25, FALSE), sdt(40, 40, 3, 60, TRUE), sdt(311, 480, 133, 720, TRUE)), "signal")
i <- 1:480; teacher <- (i - 1) %/% 8; case <- (i - 1) %% 2
referred <- as.integer(((i * 37 + teacher * 11) %% 100) < 30 + 40 * case + 3 * (teacher %% 7))
answers <- data.frame(teacher = teacher, case = case, referred = referred); out(answers, "answers")
des <- svydesign(~teacher, data = answers, weights = ~1)
s <- svyby(~referred, ~case, des, svymean, covmat = TRUE); p <- coef(s); V <- vcov(s)
n <- table(case); pc <- (p * n + .5) / (n + 1); J <- diag(1 / dnorm(qnorm(pc)))
W <- J %*% V %*% t(J); z <- qnorm(pc)
out(data.frame(d_prime = z[2] - z[1], d_error = sqrt(W[1, 1] + W[2, 2] - 2 * W[1, 2]),
               criterion = -(z[1] + z[2]) / 2, c_error = sqrt(sum(W)) / 2), "signal_clustered")

# 2. Confidence against competence.
k <- 1:200; x <- ((k * 53) %% 101) / 101; school <- k %% 16
y <- pmin(1, pmax(0, .3 + .4 * x + ((k * 29) %% 41 - 20) / 100 + (school - 8) / 80))
conf <- data.frame(school = school, confidence = x, competence = y); out(conf, "confidence_rows")
m <- lm(competence ~ confidence, conf); ct <- coef_test(m, vcovCR(m, cluster = school, type = "CR2"), test = "Satterthwaite")
cd <- svydesign(~school, data = conf, weights = ~1)
conf$over <- as.integer(x >= .7 & y < .7); conf$gap <- x - y; cd <- svydesign(~school, data = conf, weights = ~1)
b <- svymean(~gap, cd); o <- svyciprop(~over, cd, method = "logit", df = 15)
out(data.frame(term = c("slope", "intercept", "slope_alone", "bias", "over-confident"),
  estimate = c(ct$beta[2:1], coef(m)[2], coef(b), coef(o)), std_error = c(ct$SE[2:1], summary(m)$coef[2, 2], SE(b), SE(o)),
  df = c(ct$df_Satt[2:1], 198, 15, 15), low = c(NA, NA, NA, NA, confint(o)[1]), high = c(NA, NA, NA, NA, confint(o)[2])), "confidence")

# 3. Fieller: all r with |a - r b| <= t sd(a - r b), the ends by search and not by the quadratic.
fieller <- function(a, b, vaa, vab, vbb, df) {
  t <- if (is.finite(df)) qt(.975, df) else qnorm(.975)
  f <- function(r) (a - r * b)^2 - t^2 * (vaa - 2 * r * vab + r^2 * vbb)
  r0 <- a / b; tol <- 1e-13
  low <- uniroot(f, c(r0 - 200, r0), tol = tol)$root; high <- uniroot(f, c(r0, r0 + 200), tol = tol)$root
  data.frame(a = a, b = b, vaa = vaa, vab = vab, vbb = vbb, df = df, ratio = r0, low = low, high = high)
}
out(rbind(fieller(.73, 1.08, .02, .011, .018, Inf), fieller(.73, 1.08, .02, .011, .018, 11), fieller(.3, .5, .04, .01, .03, 40),
          fieller(-2, -5, 1.1, .4, .9, 25)), "fieller")

# 4. Retention from a mixed model and from a cluster-robust regression, BtheB: fall of depression as the 'gain'.
data("BtheB", package = "HSAUR3")
w <- cbind(BtheB, subject = seq_len(nrow(BtheB)))
l <- reshape(w[, c("subject", "bdi.pre", "bdi.2m", "bdi.8m")], direction = "long", varying = c("bdi.pre", "bdi.2m", "bdi.8m"),
             v.names = "bdi", timevar = "wave", times = c("a", "m2", "m8"), idvar = "subject")
l <- l[order(l$subject, l$wave), c("subject", "wave", "bdi")]; out(l, "retention_rows")
l <- na.omit(l); l$wave <- factor(l$wave)
fit <- lmer(bdi ~ wave + (1 | subject), l, control = lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12)))
df <- min(contest1D(fit, c(0, 1, 0))$df, contest1D(fit, c(0, 0, 1))$df)
V <- as.matrix(vcov(fit)); g <- fixef(fit)
one <- fieller(g[3], g[2], V[3, 3], V[2, 3], V[2, 2], df)
ols <- lm(bdi ~ wave, l); V2 <- vcovCR(ols, cluster = l$subject, type = "CR2"); ct <- coef_test(ols, V2, test = "Satterthwaite")
two <- fieller(coef(ols)[3], coef(ols)[2], V2[3, 3], V2[2, 3], V2[2, 2], min(ct$df_Satt[2:3]))
out(rbind(cbind(model = "lmer", one), cbind(model = "CR2", two)), "retention")

# 5. Decay: generalised least squares by nls on whitened gains, the time to the floor by search.
tt <- c(0, 3, 6, 12); gg <- c(1.08, .95, .73, .58); S <- outer(c(.09, .1, .11, .12), c(.09, .1, .11, .12)) * (.4 + .6 * diag(4)); Si <- solve(S)
R <- solve(t(chol(S)))  # whitens
decay <- function(shape) {
  mean <- function(b) if (shape == "linear") b[1] + b[2] * tt else exp(b[1] + b[2] * tt)
  y <- c(R %*% gg); h <- function(b0, b1) c(R %*% mean(c(b0, b1)))
  b <- coef(nls(y ~ h(b0, b1), start = if (shape == "linear") list(b0 = 1, b1 = -.05) else list(b0 = 0, b1 = -.05), control = list(tol = 1e-8, maxiter = 500, scaleOffset = 1)))
  e <- gg - mean(b); J <- if (shape == "linear") cbind(1, tt) else mean(b) * cbind(1, tt)
  C <- solve(t(J) %*% Si %*% J); lev <- if (shape == "linear") .5 else log(.5)
  f <- fieller(b[1] - lev, -b[2], C[1, 1], -C[1, 2], C[2, 2], Inf)
  data.frame(shape = shape, b0 = b[1], b1 = b[2], se0 = sqrt(C[1, 1]), se1 = sqrt(C[2, 2]), misfit = sum(e * (Si %*% e)), time = f$ratio, low = f$low, high = f$high)
}
out(rbind(decay("linear"), decay("exponential")), "decay")

# 6. Cascade: tier means with errors by course (CR1 within each tier), Fieller by search.
j <- 1:360; tier <- c("city", "town", "school", "class")[1 + (j > 40) + (j > 110) + (j > 220)]; course <- paste(tier, j %% 9)
gain <- c(city = 1.08, town = .9, school = .75, class = .6)[tier] + ((j * 31) %% 61 - 30) / 40 + ((j %% 9) - 4) / 12
rows <- data.frame(gain = gain, tier = tier, course = course); out(rows, "cascade_rows")
fit <- function(name) { r <- rows[rows$tier == name, ]; m <- lm(gain ~ 1, r); c(coef(m), sqrt(vcovCR(m, cluster = r$course, type = "CR1"))) }
each <- sapply(c("city", "town", "school", "class"), fit)
f <- fieller(each[1, 4], each[1, 1], each[2, 4]^2, 0, each[2, 1]^2, 8)
out(data.frame(tier = colnames(each), mean = each[1, ], std_error = each[2, ], share = f$ratio, low = f$low, high = f$high), "cascade")

# 7. Mixed analysis of variance of complete cases.
full <- na.omit(BtheB[, c("treatment", "bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m")]); full$subject <- factor(seq_len(nrow(full)))
L <- reshape(full, direction = "long", varying = 2:5, v.names = "bdi", timevar = "month", times = c(2, 3, 5, 8), idvar = "subject")
L$month <- factor(L$month); a <- summary(aov(bdi ~ treatment * month + Error(subject / month), L))
A <- a[["Error: subject"]][[1]]; B <- a[["Error: subject:month"]][[1]]
out(data.frame(term = c("treatment", "month", "interaction"), F = c(A[1, 4], B[1, 4], B[2, 4]), p = c(A[1, 5], B[1, 5], B[2, 5]),
               df1 = c(A[1, 1], B[1, 1], B[2, 1]), df2 = c(A[2, 1], B[3, 1], B[3, 1])), "anova")

# 8. Time to event: 300 patients of survival::mgus2 (public), with made-up weights and clusters; lung.
m <- mgus2[1:300, ]; m$time <- with(m, ifelse(pstat == 0, futime, ptime)); m$event <- with(m, ifelse(pstat == 0, 2 * death, 1))
m <- data.frame(time = m$time, event = m$event, sex = as.character(m$sex), age = m$age, cluster = (1:300 * 7) %% 25, weight = 1 + (1:300 %% 3) / 2)
out(m, "mgus_rows")
at <- c(20, 60, 120, 200); states <- c("event-free", "1", "2")
curve <- function(case, f, se = NULL) {
  s <- summary(f, times = at); e <- if (is.null(se)) s$std.err else se
  data.frame(case = case, time = rep(at, 3), cause = rep(states, each = length(at)), estimate = c(s$pstate), std_error = c(e),
             low = c(s$lower), high = c(s$upper))
}
plain <- survfit(Surv(time, factor(event, 0:2)) ~ 1, m, conf.type = "log-log")
weighted <- survfit(Surv(time, factor(event, 0:2)) ~ 1, m, weights = weight, conf.type = "log-log")
inf <- survfit(Surv(time, factor(event, 0:2)) ~ 1, m, weights = weight, conf.type = "log-log", influence = TRUE)
# survfit 3.5-3 does not sum the influence of a multi-state curve by cluster: done here (checked: two states, where it does).
# The influence has one column more, for time 0.
place <- 1 + sapply(at, function(x) sum(inf$time <= x)); U <- inf$influence.pstate[, place, ] * m$weight
by <- apply(U, 2:3, function(u) sqrt(sum(tapply(u, m$cluster, sum)^2)))
two <- survfit(Surv(time, event > 0) ~ 1, m, weights = weight, cluster = cluster)

stopifnot(max(abs(by[, 1] - summary(two, times = at)$std.err)) < 1e-12)
out(rbind(curve("plain", plain), curve("weighted", weighted), transform(curve("clustered", weighted, by), low = NA, high = NA)), "curves")
late <- transform(m, entry = pmin((1:300 * 13) %% 17, time / 2))
e1 <- survfit(Surv(entry, time, event > 0) ~ 1, late); e2 <- summary(e1, times = at)
out(data.frame(time = at, estimate = e2$surv, std_error = e2$std.err), "entry")
lung2 <- data.frame(time = lung$time, event = lung$status - 1, sex = lung$sex, age = lung$age); out(lung2, "lung_rows")
q <- quantile(survfit(Surv(time, event) ~ sex, lung2, conf.type = "log-log"), .5)
out(data.frame(sex = 1:2, median = q$quantile[, 1], low = q$lower[, 1], high = q$upper[, 1]), "medians")
d3 <- survdiff(Surv(time, event > 0) ~ cut(age, c(0, 65, 75, 200)), m); rb <- summary(coxph(Surv(time, event > 0) ~ (sex == "M") + cluster(cluster), m, ties = "breslow"))$robscore
gr <- cuminc(m$time, m$event, m$sex)$Tests; g3 <- cuminc(m$time, m$event, cut(m$age, c(0, 65, 75, 200)))$Tests
g0 <- cuminc(m$time, m$event, (1:300 * 11) %% 3)$Tests
out(data.frame(test = c("lung", "mgus_sex", "mgus_age", "robust_sex", "gray_1", "gray_2", "gray_age_1", "gray_age_2", "gray_null_1", "gray_null_2"),
  statistic = c(survdiff(Surv(time, event) ~ sex, lung2)$chisq, survdiff(Surv(time, event > 0) ~ sex, m)$chisq, d3$chisq, rb[1], gr[, 1], g3[, 1], g0[, 1])), "gray")
cx <- function(case, f) { s <- summary(f)$coefficients; data.frame(case = case, term = rownames(s), estimate = s[, 1], std_error = s[, ncol(s) - 2]) }
out(rbind(cx("lung", coxph(Surv(time, event) ~ sex + age, lung2, control = coxph.control(eps = 1e-11))),
          cx("cause_1", coxph(Surv(time, event == 1) ~ age, m, ties = "breslow", control = coxph.control(eps = 1e-11))),
          cx("clustered", coxph(Surv(time, event == 2) ~ age + cluster(cluster), m, ties = "breslow", control = coxph.control(eps = 1e-11)))), "cox")

# 9. Stock and flow: mean and variance in closed form, rates known: holders X, lapsed Y; leave a, lapse b, renew c, Poisson new.
stock <- function(x, y, a, b, c, lambda, terms) {
  m <- c(x, y); V <- matrix(0, 2, 2); rows <- list()
  P <- rbind(c((1 - a) * (1 - b), (1 - a) * b), c((1 - a) * c, (1 - a) * (1 - c)))  # from holder, from lapsed, to (holder, lapsed)
  for (t in 1:terms) {
    V <- t(P) %*% V %*% P + m[1] * (diag(P[1, ]) - P[1, ] %o% P[1, ]) + m[2] * (diag(P[2, ]) - P[2, ] %o% P[2, ]) + diag(c(lambda, 0))
    m <- c(m %*% P) + c(lambda, 0); rows[[t]] <- data.frame(term = t, mean = m[1], sd = sqrt(V[1, 1]))
  }
  do.call(rbind, rows)
}
a <- (20 + .5) / 601; b <- (22 + .5) / 581; cc <- (5 + .5) / 21
out(stock(300, 30, a, b, cc, 100.5 / 3, 6), "stock")
