# Reference values for random slopes, unstructured waves and ANCOVA. Run by hand: Rscript tests/oracle/make_slopes.R
# R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, nlme 3.1-162, clubSandwich 0.5.8. Rows of sleepstudy, Orthodont, Exam and BtheB stand in multilevel_*.csv.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(nlme); library(clubSandwich)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE)
rows <- list()
keep <- function(case, what, value, se = NA, df = NA) rows[[length(rows) + 1]] <<- data.frame(case = case, what = what, value = value, std_error = se, df = df)

# 1. Random slope against random intercept.
slope <- function(case, formula, plain, data, REML = TRUE) {
  a <- lme4::lmer(formula, data, REML = REML, control = control); b <- lme4::lmer(plain, data, REML = REML, control = control)
  keep(case, "ratio", as.numeric(2 * (logLik(a) - logLik(b)))); keep(case, "deviance", -2 * as.numeric(logLik(a)))
  v <- as.data.frame(VarCorr(a)); keep(case, c("intercept", "slope", "covariance", "residual"), v$vcov); keep(case, "correlation", v$sdcor[3])
}
slope("sleep", Reaction ~ Days + (Days | Subject), Reaction ~ Days + (1 | Subject), sleepstudy)
slope("sleep_ml", Reaction ~ Days + (Days | Subject), Reaction ~ Days + (1 | Subject), sleepstudy, FALSE)
o <- as.data.frame(nlme::Orthodont); o$c <- o$age - 11; o$Sex <- factor(as.character(o$Sex), levels = c("Male", "Female")); o$Subject <- as.character(o$Subject)
slope("ortho", distance ~ c * Sex + (c | Subject), distance ~ c * Sex + (1 | Subject), o)
x <- read.csv("tests/oracle/multilevel_exam.csv"); slope("exam", normexam ~ standLRT + (standLRT | school), normexam ~ standLRT + (1 | school), x)

# 2. Unstructured waves; gls has no df of its own worth keeping.
waves <- function(case, formula, data, wave, unit, method) {
  data$w <- as.integer(factor(data[[wave]])); data$f <- factor(data$w); data <- data[complete.cases(data), ]
  m <- gls(formula, data, correlation = corSymm(form = as.formula(paste("~w |", unit))), weights = varIdent(form = ~ 1 | f), method = method,
    control = glsControl(msMaxIter = 500, maxIter = 500, tolerance = 1e-12, msTol = 1e-12, returnObject = FALSE))
  t <- summary(m)$tTable; keep(case, rownames(t), t[, 1], t[, 2]); keep(case, "loglik", as.numeric(logLik(m)))
}
o$a <- factor(o$age); waves("ortho_reml", distance ~ a * Sex, o, "age", "Subject", "REML"); waves("ortho_ml", distance ~ a * Sex, o, "age", "Subject", "ML")
b <- read.csv("tests/oracle/multilevel_btheb.csv"); b$treatment <- factor(b$treatment, levels = c("TAU", "BtheB")); b$m <- factor(b$time)
waves("btheb_reml", bdi ~ pre + treatment * m, b, "time", "subject", "REML"); waves("btheb_ml", bdi ~ pre + treatment * m, b, "time", "subject", "ML")
out(do.call(rbind, rows), "slopes_values.csv")

# 3. ANCOVA: 18 schools of unequal size in three strata, three arms, some baselines missing.
rows <- list(); set.seed(20261127); g <- 18; size <- sample(4:11, g, TRUE); n <- sum(size); s <- rep(1:g, size)
d <- data.frame(school = s, stratum = c("a", "b", "c")[(s - 1) %/% 6 + 1], arm = c("usual", "new", "new plus")[(s - 1) %% 3 + 1],
  sex = sample(c("F", "M"), n, TRUE), age = round(rnorm(n, 13, 1), 2), pre = round(rnorm(g, 0, .4)[s] + rnorm(n), 3))
d$post <- round(.6 * d$pre + .3 * (d$arm != "usual") + .2 * (d$sex == "M") + rnorm(g, 0, .3)[s] + rnorm(n, 0, .8), 3)
d$pre[sample(n, 9)] <- NA; d$post[sample(n, 4)] <- NA; out(d, "ancova_rows.csv")
d$arm <- factor(d$arm, levels = c("usual", "new", "new plus")); d$sex <- factor(d$sex)
robust <- function(case, m, data, terms = NULL) { s <- coef_test(m, vcov = vcovCR(m, cluster = data$school, type = "CR2"), test = "Satterthwaite")
  use <- grep("^arm", rownames(s)); keep(case, sub("^arm", "", rownames(s)[use]), s$beta[use], s$SE[use], s$df_Satt[use]) }
e <- d[!is.na(d$post), ]; seen <- !is.na(e$pre); e$lost <- as.integer(!seen)
prepared <- function(e) { seen <- !is.na(e$pre); e$base <- ifelse(seen, e$pre - mean(e$pre[seen]), 0)
  e$mean <- ave(ifelse(seen, e$base, NA), e$school, FUN = function(v) mean(v, na.rm = TRUE)); e$mean[is.nan(e$mean)] <- 0; e }
r <- prepared(e); f <- post ~ arm + base + mean + lost + sex + age + stratum
m <- lm(f, r); robust("randomised", m, r)
# Adjusted means: every column at its mean.
L <- t(sapply(levels(d$arm), function(a) { v <- colMeans(model.matrix(m)); v[c("armnew", "armnew plus")] <- as.numeric(c("new", "new plus") == a); v }))
V <- vcovCR(m, cluster = r$school, type = "CR2"); L <- rbind(L, pair = { v <- 0 * coef(m); v["armnew plus"] <- 1; v["armnew"] <- -1; v })
lc <- linear_contrast(m, V, contrasts = L, test = "Satterthwaite"); keep("means", rownames(L), lc$Est, lc$SE, lc$df)
r$w <- 1 / ave(r$post, r$school, FUN = length); m <- lm(f, r, weights = w); robust("school_average", m, r)
c1 <- prepared(e[!is.na(e$pre), ]); f2 <- post ~ arm + base + mean + sex + age + stratum
m <- lm(f2, c1); robust("intact", m, c1)
m <- lm(post - pre ~ arm + sex + age + stratum, c1); robust("change", m, c1); m <- lm(post ~ arm + sex + age + stratum, c1); robust("post", m, c1)
m <- lmerTest::lmer(update(f2, . ~ . + (1 | school)), c1, control = control); s <- coef(summary(m)); use <- grep("^arm", rownames(s)); keep("lmm", sub("^arm", "", rownames(s)[use]), s[use, 1], s[use, 2], s[use, 3])
v <- function(m) as.data.frame(VarCorr(m))$vcov; a <- v(m); b <- v(lme4::lmer(post ~ arm + (1 | school), c1, control = control))
keep("explained", c("icc before", "icc after", "r2 school", "r2 pupil", "r2 total"), c(b[1] / sum(b), a[1] / sum(a), 1 - a[1] / b[1], 1 - a[2] / b[2], 1 - sum(a) / sum(b)))
out(do.call(rbind, rows), "ancova_values.csv")

# 4. Estimates and variances of every imputed table, for the pooling rules (mice 3.15.0, HSAUR3 1.0-13).
suppressPackageStartupMessages(library(mice)); each <- list()
apiece <- function(case, fits, terms) for (f in fits$analyses) each[[length(each) + 1]] <<-
  data.frame(case = case, term = terms, q = unname(coef(f)[terms]), u = unname(diag(vcov(f))[terms]), df_complete = f$df.residual)
apiece("nhanes", with(mice(nhanes, m = 20, seed = 123, printFlag = FALSE), lm(chl ~ age + bmi)), c("age", "bmi"))
data(BtheB, package = "HSAUR3")
apiece("btheb", with(mice(BtheB, m = 50, seed = 2026, method = "norm", maxit = 20, printFlag = FALSE), lm(bdi.8m ~ bdi.pre + treatment + drug + length)), "treatmentBtheB")
out(do.call(rbind, each), "anchor_pooled_each.csv")
