# Reference values for nested mixed models. Run by hand (Rscript tests/oracle/make_multilevel.R) and commit the CSVs; tests never need R.
# R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, emmeans 1.8.4-1, nlme, HSAUR3 1.0-13, mlmRev 1.0-8, clubSandwich 0.5.8. All data ship in these packages.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(emmeans)})
emm_options(lmerTest.limit = 1e6, lmer.df = "satterthwaite")
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE, quote = which(sapply(x, function(v) any(grepl(",", v)))))
# The inner tolerance of glmer is tightened below: at its default the Laplace estimates are good to 4 digits only.
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE)
fixed <- list(); random <- list(); type3 <- list(); means <- list(); effects <- list()
fit <- function(formula, data, REML = TRUE) lmerTest::lmer(formula, data, REML = REML, control = control)
keep <- function(name, m) {
  s <- as.data.frame(coef(summary(m))); v <- as.data.frame(VarCorr(m))
  fixed[[name]] <<- data.frame(model = name, term = rownames(s), estimate = s[, 1], std_error = s[, 2], df = s[, 3], p = s[, 5])
  random[[name]] <<- rbind(data.frame(model = name, part = paste(v$grp, v$var1, v$var2, sep = "|"), value = v$vcov),
    data.frame(model = name, part = c("loglik2", "n"), value = c(-2 * as.numeric(logLik(m)), nobs(m))))
}
f_table <- function(name, m) { a <- as.data.frame(anova(m, type = 3))
  type3[[name]] <<- data.frame(model = name, term = rownames(a), num_df = a$NumDF, den_df = a$DenDF, f = a$`F value`, p = a$`Pr(>F)`) }
keep_table <- function(name, x) { x <- as.data.frame(x); by <- setdiff(names(x), c("estimate", "emmean", "SE", "df", "lower.CL", "upper.CL", "t.ratio", "p.value", grep("trend", names(x), value = TRUE)))
  est <- x[[intersect(names(x), c("estimate", "emmean", grep("trend", names(x), value = TRUE)))[1]]]
  means[[name]] <<- data.frame(table = name, label = apply(x[by], 1, function(r) paste(trimws(r), collapse = "|")), estimate = est, std_error = x$SE, df = x$df,
    low = if (is.null(x$lower.CL)) NA else x$lower.CL, high = if (is.null(x$upper.CL)) NA else x$upper.CL, p = if (is.null(x$p.value)) NA else x$p.value) }

# 1. sleepstudy
data(sleepstudy); out(sleepstudy, "multilevel_sleepstudy.csv")
keep("sleep_slope", fit(Reaction ~ Days + (Days | Subject), sleepstudy)); keep("sleep_uncorrelated", fit(Reaction ~ Days + (Days || Subject), sleepstudy))
keep("sleep_intercept", fit(Reaction ~ Days + (1 | Subject), sleepstudy)); keep("sleep_ml", fit(Reaction ~ Days + (1 | Subject), sleepstudy, FALSE))
m <- lme4::lmer(Reaction ~ Days + (1 | Subject), sleepstudy); pr <- confint(m, quiet = TRUE)
profiled <- data.frame(model = "sleep_intercept", part = rownames(pr), low = pr[, 1], high = pr[, 2])

# 2. Orthodont
o <- as.data.frame(nlme::Orthodont); o$Subject <- as.character(o$Subject); o$Sex <- as.character(o$Sex); out(o, "multilevel_orthodont.csv")
o$Sex <- factor(o$Sex, levels = c("Male", "Female")); o$c <- o$age - 11; o$a <- factor(o$age)
keep("ortho_intercept", m <- fit(distance ~ c * Sex + (1 | Subject), o)); keep_table("ortho_trends", emtrends(m, ~Sex, var = "c")); f_table("ortho_intercept", m)
keep("ortho_slope", fit(distance ~ c * Sex + (c | Subject), o))
keep("ortho_factor", m <- fit(distance ~ a * Sex + (1 | Subject), o)); f_table("ortho_factor", m)
e <- emmeans(m, ~Sex | a); keep_table("ortho_means", e); keep_table("ortho_simple", pairs(e)); keep_table("ortho_sex", emmeans(m, ~Sex)); keep_table("ortho_age_tukey", pairs(emmeans(m, ~a), adjust = "holm"))

# 3. BtheB, long
data(BtheB, package = "HSAUR3"); b <- BtheB; b$subject <- rownames(b)
b <- reshape(b, idvar = "subject", varying = c("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"), v.names = "bdi", timevar = "time", times = c(2, 3, 5, 8), direction = "long")
names(b) <- sub("bdi.pre", "pre", names(b), fixed = TRUE); rownames(b) <- NULL
for (v in c("drug", "length", "treatment")) b[[v]] <- as.character(b[[v]])
out(b, "multilevel_btheb.csv"); b$treatment <- factor(b$treatment, levels = c("TAU", "BtheB")); b$length <- factor(b$length, levels = c("<6m", ">6m"))
b$month <- factor(b$time)
keep("btheb", fit(bdi ~ pre + time + treatment + drug + length + (1 | subject), b)); keep("btheb_ml", fit(bdi ~ pre + time + treatment + drug + length + (1 | subject), b, FALSE))
keep("btheb_month", m <- fit(bdi ~ pre + treatment * month + drug + length + (1 | subject), b)); f_table("btheb_month", m)
e <- emmeans(m, ~treatment | month); keep_table("btheb_means", e); keep_table("btheb_simple", pairs(e)); keep_table("btheb_averaged", pairs(emmeans(m, ~treatment)))
keep("btheb_bare", m <- fit(bdi ~ treatment * month + (1 | subject), b)); f_table("btheb_bare", m)

# 4. Schools: Hsb82, Exam, AchievementAwards, star (rows ship in the packages; here written small)
data(Hsb82, package = "mlmRev"); h <- Hsb82
# meanses is the mean of ses in the school and cses the rest: the reader makes them again.
stopifnot(max(abs(ave(h$ses, h$school) - h$meanses)) < 1e-6, max(abs(h$ses - h$meanses - h$cses)) < 1e-6)
out(data.frame(school = as.integer(as.character(h$school)), mAch = h$mAch, ses = h$ses, catholic = as.integer(h$sector == "Catholic")), "multilevel_hsb82.csv")
keep("hsb_null", fit(mAch ~ 1 + (1 | school), h)); pr <- confint(lme4::lmer(mAch ~ 1 + (1 | school), h), quiet = TRUE)
profiled <- rbind(profiled, data.frame(model = "hsb_null", part = rownames(pr), low = pr[, 1], high = pr[, 2]))
keep("hsb", m <- fit(mAch ~ ses + sector + (1 | school), h)); keep_table("hsb_sector", emmeans(m, ~sector))
keep("hsb_slope", m <- fit(mAch ~ cses * sector + meanses * cses + (cses | school), h)); f_table("hsb_slope", m)
data(Exam, package = "mlmRev"); x <- Exam
out(data.frame(school = as.character(x$school), normexam = x$normexam, standLRT = x$standLRT, sex = x$sex, schgend = x$schgend), "multilevel_exam.csv")
keep("exam", m <- fit(normexam ~ standLRT + sex + schgend + (1 | school), x)); f_table("exam", m); keep("exam_trap", fit(normexam ~ standLRT * sex + (1 | school), x))
keep("exam_intercept", fit(normexam ~ standLRT + (1 | school), x)); keep("exam_slope", m <- fit(normexam ~ standLRT + (standLRT | school), x))
r <- lme4::ranef(m, condVar = TRUE)$school; pv <- attr(r, "postVar")
effects[["exam_slope"]] <- data.frame(model = "exam_slope", level = "school", unit = rownames(r), effect = r[, 1], std_error = sqrt(pv[1, 1, ]))
data(AchievementAwardsRCT, package = "clubSandwich"); a <- subset(AchievementAwardsRCT, year == "2001"); names(a) <- tolower(names(a))
a <- as.data.frame(a)[c("school_id", "bagrut_status", "treated", "qrtl", "sex", "siblings", "immigrant", "father_ed", "mother_ed")]
for (v in names(a)) if (is.factor(a[[v]])) a[[v]] <- as.character(a[[v]])
out(a, "multilevel_awards.csv"); keep("awards", fit(bagrut_status ~ treated + qrtl + sex + siblings + immigrant + father_ed + mother_ed + (1 | school_id), a))
logit <- do.call(rbind, lapply(c(1, 11), function(n) { g <- glmer(bagrut_status ~ treated + qrtl + (1 | school_id), a, family = binomial, nAGQ = n, control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
  s <- coef(summary(g)); data.frame(nodes = n, term = c(rownames(s), "sd", "loglik"), estimate = c(s[, 1], sqrt(as.numeric(VarCorr(g)$school_id)), as.numeric(logLik(g))), std_error = c(s[, 2], NA, NA)) }))
out(logit, "multilevel_logit.csv")
data(star, package = "mlmRev"); k <- subset(star, gr == "K" & !is.na(math))
out(with(k, data.frame(sch = as.character(sch), tch = as.character(tch), cltype = as.character(cltype), sx = as.character(sx), math = as.integer(math))), "multilevel_star.csv")
k$cltype <- factor(as.character(k$cltype), levels = c("small", "reg", "reg+A")); k$sx <- factor(as.character(k$sx))
keep("star", m <- fit(math ~ cltype + sx + (1 | sch / tch), k)); f_table("star", m); keep_table("star_tukey", pairs(emmeans(m, ~cltype))); keep_table("star_holm", pairs(emmeans(m, ~cltype), adjust = "holm"))
r <- lme4::ranef(m, condVar = TRUE)
for (l in names(r)) effects[[paste0("star", l)]] <- data.frame(model = "star", level = l, unit = rownames(r[[l]]), effect = r[[l]][, 1], std_error = sqrt(attr(r[[l]], "postVar")[1, 1, ]))

# 5. Three levels, waves missing, drawn here; and slopes of pupils in schools (mlmRev::egsingle, 20 schools).
set.seed(20261125); n <- 12 * 3 * 8
w <- data.frame(school = rep(1:12, each = 24), class = rep(1:36, each = 8), pupil = 1:n)
w$arm <- ifelse(w$school %% 2 == 1, "new", "usual"); w$base <- round(rnorm(n), 3)
u <- rnorm(n, 0, .6); b <- rnorm(n, 0, .25); v <- rnorm(36, 0, .3); s <- rnorm(12, 0, .4)
w <- do.call(rbind, lapply(0:2, function(t) transform(w, time = t, y = round(.5 * base + .2 * t * (arm == "new") + u + b * t + v[w$class] + s[w$school] + rnorm(n, 0, .5), 4))))
w <- w[runif(nrow(w)) > c(0, .1, .25)[w$time + 1], ]; rownames(w) <- NULL; out(w, "multilevel_waves.csv"); w$wave <- factor(w$time)
keep("waves", m <- fit(y ~ base + arm * wave + (1 | school / class / pupil), w)); f_table("waves", m); keep_table("waves_arms", pairs(emmeans(m, ~arm | wave)))
keep("waves_slope", fit(y ~ base + arm * time + (1 | school) + (1 | class) + (time | pupil), w)); keep("waves_school_slope", fit(y ~ base + arm * time + (time || school) + (1 | class) + (1 | pupil), w))
r <- lme4::ranef(m, condVar = TRUE)
for (l in names(r)) effects[[paste0("waves", l)]] <- data.frame(model = "waves", level = l, unit = rownames(r[[l]]), effect = r[[l]][, 1], std_error = sqrt(attr(r[[l]], "postVar")[1, 1, ]))
data(egsingle, package = "mlmRev"); g <- subset(egsingle, schoolid %in% sort(as.character(unique(egsingle$schoolid)))[1:20])
g <- data.frame(school = as.character(g$schoolid), child = as.character(g$childid), year = g$year, math = g$math, female = as.character(g$female)); out(g, "multilevel_growth.csv")
keep("growth", fit(math ~ year * female + (1 | school) + (year | child), g))

out(do.call(rbind, fixed), "multilevel_fixed.csv"); out(do.call(rbind, random), "multilevel_random.csv"); out(do.call(rbind, type3), "multilevel_type3.csv")
out(do.call(rbind, means), "multilevel_means.csv"); out(do.call(rbind, effects), "multilevel_effects.csv"); out(profiled, "multilevel_profile.csv")
